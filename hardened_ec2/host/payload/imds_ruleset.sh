#!/bin/sh
# Only root and the named users reach the instance metadata service; forwarded traffic
# (containers, virtual machines) does not, unless its source is named too. IPv4 and IPv6.
#
# This stands readable at the head of the user data: it is loaded before anything is unpacked.
#
# Only the two metadata addresses are named: DNS (.253), time (.123) and the rest stay open.

IMDS4=169.254.169.254
IMDS6=fd00:ec2::254
TABLE='table inet hardened_ec2_imds'

# Numeric: one unknown name would make nft refuse the whole file, and the lock with it.
# A user who does not exist yet joins when the path unit sees /etc/passwd change.
imds_uids() {
	for user in 0 $IMDS_USERS ec2-instance-connect cwagent; do
		case $user in
		*[!0-9]*) id -u "$user" 2>/dev/null ;;
		*) echo "$user" ;;
		esac
	done | sort -nu
}

# An interface's name has no slash, a block of addresses always has one.
imds_sources() {
	for from in $IMDS_CONTAINERS; do
		case $from in
		*:*) echo "ip6 saddr $from accept" ;;
		*/*) echo "ip saddr $from accept" ;;
		*) echo "iifname \"$from\" accept" ;;
		esac
	done
}

# A packet whose owner cannot be read (neither rule on skuid fits it) is the goodbye of a socket
# that is already closed: part of a connection that was let in, since a SYN always has an owner.
imds_ruleset() {
	cat <<EOF
$TABLE
delete $TABLE
$TABLE {
set allow_uid { type uid; elements = { $(imds_uids | paste -sd,) }; }
chain output { type filter hook output priority -150; ip daddr $IMDS4 goto local; ip6 daddr $IMDS6 goto local; }
chain forward { type filter hook forward priority -150; ip daddr $IMDS4 goto forwarded; ip6 daddr $IMDS6 goto forwarded; }
chain forwarded {
$(imds_sources)
goto deny
}
chain local {
meta skuid @allow_uid accept
meta skuid != @allow_uid goto deny
tcp flags & syn == 0 accept
goto deny
}
chain deny {
limit rate 6/minute log prefix "imds-denied " flags skuid
counter meta l4proto tcp reject with tcp reset
drop
}
}
EOF
}

# close FAMILY ADDRESS: without nftables, for all but root. "iif lo" means made on this host, and
# "goto 14" steps over the prohibition and leaves root to the host's own routing.
# "protocol kernel": systemd-networkd deletes rules that it takes for foreign.
close() {
	for to in "14 nop" "10 iif lo uidrange 0-0 goto 14" "13 prohibit"; do
		# shellcheck disable=SC2086 # words
		ip "$1" rule add protocol kernel to "$2" pref $to
	done
}
