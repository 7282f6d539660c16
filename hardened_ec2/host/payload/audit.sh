#!/bin/sh
# What is written down of what people do, and that it never stops the server.

# shellcheck disable=SC2154 # report.sh and the options set what is not set here

# Files that are there; then system calls, the old ones only where the architecture has them, since
# one unknown name and none of the rules is loaded. Not adjtimex: chrony calls it all the time.
# "-f 1": the kernel complains when it cannot write a record, it does not panic. No "-e 2": a mistake
# in somebody's rules should not take a reboot to mend.
audit_ruleset() {
	echo '-f 1'
	while read -r key paths; do
		for path in $paths; do
			[ -d "$path" ] && kind=dir || kind=path
			[ ! -e "$path" ] || echo "-a always,exit -F $kind=$path -F perm=wa -k hardened-ec2-$key"
		done
	done <<EOF
identity /etc/passwd /etc/shadow /etc/group /etc/gshadow /etc/security/opasswd
sudo /etc/sudoers /etc/sudoers.d
sshd /etc/ssh
boot /etc/systemd /etc/cron.d /etc/crontab /etc/modprobe.d /etc/sysctl.d
audit /etc/audit
EOF
	user='-F auid>=1000 -F auid!=unset'
	echo "-a always,exit -F dir=/var/lib/cloud -F perm=r $user -k hardened-ec2-user-data"
	echo "-a always,exit -F path=/usr/bin/sudo -F perm=x $user -k hardened-ec2-sudo"
	[ "$(uname -m)" = x86_64 ] && old=1 || old=
	for arch in b64 ${old:+b32}; do
		while read -r key calls filter; do
			echo "-a always,exit -F arch=$arch -S $calls $filter -k hardened-ec2-$key"
		done <<EOF
time clock_settime,settimeofday
name sethostname,setdomainname
modules init_module,finit_module,delete_module
root execve -C uid!=euid -F euid=0
mounts mount,umount2 $user
delete unlinkat,renameat,renameat2${old:+,unlink,rename,rmdir} $user
modes fchmod,fchmodat,fchown,fchownat${old:+,chmod,chown,lchown} $user
refused openat,truncate,ftruncate${old:+,open,creat} -F exit=-EACCES $user
refused openat,truncate,ftruncate${old:+,open,creat} -F exit=-EPERM $user
EOF
	done
}

# Behind every other file of rules: the last "-f" wins.
audit_rules() {
	[ "$AUDIT" != no ] || skip 'not wanted'
	auditctl -s >/dev/null 2>&1 || skip 'no auditd'
	put_text /etc/audit/rules.d/zz-hardened-ec2.rules 600 "$(audit_ruleset)" || return
	set_lines /etc/audit/auditd.conf 'max_log_file_action = rotate\nspace_left_action = syslog\nadmin_space_left_action = suspend\ndisk_full_action = suspend\ndisk_error_action = suspend' || return
	[ "$changed" = 100 ] || return 0
	! auditctl -s | grep -q '^enabled 2' || { echo 'the rules are locked until the next boot' && return; }
	error=$(augenrules --load 2>&1) || fail "$(echo "$error" | tail -n 1)"
	live kill -s HUP auditd.service
}
