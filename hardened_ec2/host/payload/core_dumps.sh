#!/bin/sh
# No core dumps: not of logins, and not by systemd's handler where it is installed.

# shellcheck disable=SC2154 # report.sh sets what is not set here

# "*" is everybody but root. Both files do nothing where nobody reads them.
core_dumps() {
	put /etc/security/limits.d/hardened-ec2.conf 644 <<EOF &&
* hard core 0
root hard core 0
EOF
		put /etc/systemd/coredump.conf.d/hardened-ec2.conf 644 <<EOF && return "$changed"
[Coredump]
Storage=none
ProcessSizeMax=0
EOF
}
