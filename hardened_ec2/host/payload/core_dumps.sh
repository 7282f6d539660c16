#!/bin/sh
# No core dumps: not of logins, and not by systemd's handler where it is installed.

# "*" is everybody but root. Both files do nothing where nobody reads them.
core_dumps() {
	put /etc/security/limits.d/hardened-ec2.conf 644 <<EOF &&
* hard core 0
root hard core 0
EOF
		put /etc/systemd/coredump.conf.d/hardened-ec2.conf 644 <<EOF
[Coredump]
Storage=none
ProcessSizeMax=0
EOF
}
