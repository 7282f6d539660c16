"""Mixins that harden existing constructs, including L1 constructs."""
