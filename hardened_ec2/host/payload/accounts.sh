#!/bin/sh
# Logins: what their new files are open to, that keys do not expire with unused passwords, and
# who reads root's timetables.

# shellcheck disable=SC2034,SC2154 # report.sh, boot.sh and the options set what is not set here

# Login shells only: a service that root restarts keeps its own. login.defs in strict only: it is
# the package's file, and with pam_umask it speaks for sudo and cron too.
login_umask() {
	put_text /etc/profile.d/hardened-ec2.sh 644 'umask 027' || return
	[ "$PROFILE" != strict ] || [ ! -s /etc/login.defs ] || set_lines /etc/login.defs 'UMASK 027'
}

# Those without a password's hash. The last day of an account (field 8) is somebody's decision, and
# stays.
password_ageing() {
	# shellcheck disable=SC2013 # one word a line
	for user in $(awk -F: '$2 !~ /^[$_]/ && ($5 != "" && $5 < 99999 || $7 != "") { print $1 }' /etc/shadow); do
		chage -M -1 -I -1 "$user" && changed=100 || return
	done
}

cron_permissions() {
	restrict go= root:root /etc/ssh/sshd_config /etc/crontab /etc/cron.d /etc/cron.*ly
}
