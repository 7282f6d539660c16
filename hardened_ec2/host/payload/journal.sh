#!/bin/sh
# The journal on disk, with a limit.

# shellcheck disable=SC2154 # report.sh sets what is not set here

persistent_journal() {
	put /etc/systemd/journald.conf.d/hardened-ec2.conf 644 <<EOF && restart systemd-journald.service && return "$changed"
[Journal]
Storage=persistent
SystemMaxUse=500M
EOF
}
