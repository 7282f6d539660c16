#!/bin/sh
# The host's own firewall: what comes in is for sshd's port or a declared one, or an answer.
#
# A table of its own, replaced in one transaction: nobody else's rules are touched, and there is no
# moment without rules or with half of them. Forwarded traffic is left to containers and NAT.

# shellcheck disable=SC2154 # the other files of the program set what is not set here

FIREWALL='table inet hardened_ec2_firewall'
RULES=/etc/hardened-ec2/firewall.nft

# Rather one port too many than the administrator's one too few: what sshd says, what its files say
# (it says nothing before the host keys are made), and what a socket of systemd listens on in its
# place, whatever sshd's files say. None only if all that could start sshd is switched off and none
# runs; no answer is no "off".
ssh_ports() {
	has sshd || return 0
	units=$(systemctl is-enabled ssh.service sshd.service ssh.socket sshd.socket 2>/dev/null)
	case $units in *enabled* | '') ;; *) pidof sshd >/dev/null || return 0 ;; esac
	{
		sshd -T 2>/dev/null || { echo port 22 && cat /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf; }
		! systemctl -q is-enabled ssh.socket sshd.socket || cat /usr/lib/systemd/system/ssh*.socket \
			/etc/systemd/system/ssh*.socket /etc/systemd/system/ssh*.socket.d/* /run/systemd/generator/ssh*.socket.d/*
	} 2>/dev/null | sed -En 's/^(port|ListenStream|ListenAddress)[[:space:]=]+(|[^:]*:|\[.*]:)([0-9]+)[[:space:]]*$/\3/Ip' | sort -nu
}

# Errors of IP (a lost "fragmentation needed" stalls connections), neighbours and routers of IPv6,
# which can only be the next hop, and DHCP, whose answer may be for no address that is known yet.
firewall_ruleset() {
	cat <<EOF
$FIREWALL
delete $FIREWALL
$FIREWALL {
chain input { type filter hook input priority 0; policy drop;
iif lo accept
ct state established,related accept
$([ "$IPV6" != no ] || echo meta nfproto ipv6 drop)
icmp type { destination-unreachable, time-exceeded, parameter-problem, echo-request } accept
icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request } accept
icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept
udp sport 67 udp dport 68 accept
ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
$(for port in $OPEN_PORTS $(ssh_ports); do case $port in */udp) p=udp ;; *) p=tcp ;; esac; echo "$p dport ${port%/*} accept"; done)
limit rate 6/minute log prefix "hardened-ec2-denied "
}
}
EOF
}

# nftables.service flushes every table when it starts and reloads.
host_firewall() {
	nft=$(command -v nft) || skip 'no nftables: the security groups alone filter'
	rules=$(firewall_ruleset)
	error=$(echo "$rules" | nft -c -f - 2>&1) || fail "$(echo "$error" | head -n 1)"
	put_text $RULES 600 "$rules" || return
	unit hardened-ec2-firewall.service <<EOF &&
[Unit]
Description=Declared ports only
DefaultDependencies=no
After=local-fs.target nftables.service
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
[Service]
Type=oneshot
ExecStart=$nft -f $RULES
[Install]
WantedBy=sysinit.target
EOF
		unit nftables.service.d/hardened-ec2-firewall.conf <<EOF && enable_units hardened-ec2-firewall.service || return
[Service]
ExecStartPost=-$nft -f $RULES
ExecReload=-$nft -f $RULES
EOF
	load "$FIREWALL" "$rules"
}

# For the dead-man switch: the rules from before this run, or those that take ours away.
keep_firewall() {
	cat $RULES 2>/dev/null || echo "$FIREWALL
delete $FIREWALL"
} >"$RUN/before.nft"

restore_firewall() {
	put $RULES 600 <"$RUN/before.nft" && nft -f $RULES
}
