#!/bin/sh
# Kernel settings: a sysctl.d(5) file for the next boots, and the same values now.

# shellcheck disable=SC2034,SC2154 # report.sh, boot.sh and the options set what is not set here

# sysctls FILE <TABLE. A line of the table is a path under /proc/sys, a value, and strict's value
# where it is another one. "-" leaves a key alone, "+2" is at least 2, since some distributions are
# stricter than what is wanted here. Only keys that this kernel has; only what differs is written.
#
# "*" is every interface there is: the kernel takes a yes from any of them, or from "all", for a yes.
# systemd gives the "*" of the file to interfaces that come later.
sysctls() {
	file=
	refused=
	while read -r key value strict; do
		[ "$PROFILE" != strict ] || value=${strict:-$value}
		[ "$value" != - ] || continue
		wanted=
		for path in /proc/sys/$key; do
			[ -e "$path" ] || continue
			read -r now <"$path"
			wanted=${value#+}
			[ "$wanted" = "$value" ] || [ "$now" -le "$wanted" ] || wanted=$now
			[ "$now" = "$wanted" ] || { echo "$wanted" >"$path" && changed=100; } 2>/dev/null || refused="$refused $key"
		done
		[ ! "$wanted" ] || file="$file
$key = $wanted"
	done
	file=$(echo "$file" | sed '1d; :a; s,^\([^ ]*\)/,\1.,; ta; s/^\(.*\)\*\(.*\)/\1all\2\n\1default\2\n&/')
	put_text "/etc/sysctl.d/$1" 644 "$file" || return
	[ ! "$refused" ] || fail "the kernel refused$refused"
}

# "zz" is behind 99-sysctl.conf and whatever else a distribution has: the last file wins.
#
# Not ip_forward (containers, NAT), not tcp_timestamps (nothing is gained), and accept_ra only where
# there is to be no IPv6, since its default route comes that way.
sysctl_network() {
	[ "$IPV6" = no ] && no_ipv6=0 || no_ipv6=-
	sysctls zz-hardened-ec2-network.conf <<EOF
net/ipv4/conf/*/accept_redirects 0
net/ipv4/conf/*/secure_redirects 0
net/ipv4/conf/*/send_redirects 0
net/ipv4/conf/*/accept_source_route 0
net/ipv4/conf/*/rp_filter 2 1
net/ipv4/conf/*/accept_local - 0
net/ipv4/conf/*/log_martians - 1
net/ipv6/conf/*/accept_redirects 0
net/ipv6/conf/*/accept_source_route 0
net/ipv6/conf/*/accept_ra $no_ipv6
net/ipv6/conf/*/autoconf $no_ipv6
net/ipv4/tcp_syncookies 1
net/ipv4/tcp_rfc1337 1
net/ipv4/icmp_echo_ignore_broadcasts 1
net/ipv4/icmp_ignore_bogus_error_responses 1
EOF
}

# Whoever has reserved memory for a crash kernel wants it loaded: kexec stays for them. Neither
# modules_disabled nor the limit of user namespaces: what starts later needs them.
sysctl_kernel() {
	grep -qs '[1-9]' /sys/kernel/kexec_crash_size && kexec=- || kexec=1
	sysctls zz-hardened-ec2-kernel.conf <<EOF
kernel/kptr_restrict +1 +2
kernel/dmesg_restrict 1
kernel/perf_event_paranoid +2 +3
kernel/randomize_va_space 2
kernel/yama/ptrace_scope +1 +2
kernel/unprivileged_bpf_disabled 1
kernel/kexec_load_disabled - $kexec
kernel/sysrq 0
kernel/panic_on_oops - 1
kernel/panic - +10
kernel/core_pattern - |/bin/false
vm/mmap_min_addr - +32768
net/core/bpf_jit_harden 2
dev/tty/ldisc_autoload 0
fs/suid_dumpable 0
fs/protected_hardlinks 1
fs/protected_symlinks 1
fs/protected_fifos 2
fs/protected_regular 2
EOF
}
