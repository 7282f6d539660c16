#!/bin/sh
# The journal on disk, with a limit.

persistent_journal() {
	put /etc/systemd/journald.conf.d/hardened-ec2.conf 644 <<EOF && restart systemd-journald.service
[Journal]
Storage=persistent
SystemMaxUse=500M
EOF
}
