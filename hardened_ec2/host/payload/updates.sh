#!/bin/sh
# Security updates by themselves, with the program that is installed for it. No reboot: when a server
# may go away is its owner's decision.

# shellcheck disable=SC2154 # report.sh and the options set what is not set here

# "99" is behind the packages' own 20auto-upgrades and 50unattended-upgrades.
security_updates() {
	[ "$AUTOMATIC_UPDATES" != no ] || skip 'not wanted'
	if has unattended-upgrade; then
		put /etc/apt/apt.conf.d/99hardened-ec2 644 <<EOF
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade::Automatic-Reboot "false";
EOF
	elif [ -e /etc/dnf/automatic.conf ]; then
		set_lines /etc/dnf/automatic.conf 'upgrade_type = security\napply_updates = yes\nreboot = never' '/^\[commands]/' &&
			enable_units dnf-automatic.timer && live start dnf-automatic.timer
	else
		skip 'neither unattended-upgrades nor dnf-automatic'
	fi
}
