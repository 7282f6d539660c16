"""The proof lab: boots synthesized user data in a real machine and tries to get in.

A Debian image made from nothing, a metadata service that speaks IMDSv2 only, the template's
security group as a packet filter, a client inside the whitelist and one outside. Needs root and
Debian's own tools; touches nothing but its cache, ``build/lab`` and namespaces of its own.
"""
