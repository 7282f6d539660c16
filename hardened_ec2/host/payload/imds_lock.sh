#!/bin/sh
# Only root and the named users reach the instance metadata service; forwarded traffic
# (containers, virtual machines) never does. IPv4 and IPv6.
#
# nftables first, ip rules where nftables is missing or refuses. Each layer is put in place whole
# before the other one is taken away, so no reload has a moment without a lock.
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

# A packet whose owner cannot be read (neither rule on skuid fits it) is the goodbye of a socket
# that is already closed: part of a connection that was let in, since a SYN always has an owner.
imds_ruleset() {
	cat <<EOF
$TABLE
delete $TABLE
$TABLE {
set allow_uid { type uid; elements = { $(imds_uids | paste -sd,) }; }
chain output { type filter hook output priority -150; ip daddr $IMDS4 goto local; ip6 daddr $IMDS6 goto local; }
chain forward { type filter hook forward priority -150; ip daddr $IMDS4 goto deny; ip6 daddr $IMDS6 goto deny; }
chain local {
meta skuid @allow_uid counter accept
meta skuid != @allow_uid goto deny
tcp flags & syn == 0 accept
goto deny
}
chain deny {
limit rate 6/minute log prefix "imds-denied " flags skuid
counter meta l4proto tcp reject with tcp reset
counter drop
}
}
EOF
}

# What was asked for and what the kernel shows for it: if either changes, the table is loaded again.
nft_seal() {
	# shellcheck disable=SC2086 # three words
	live=$(nft -s list $TABLE) && echo "$(imds_ruleset) $live"
}

# One transaction: the old table stands until the new one does.
nft_lock() {
	seal=$(nft_seal) && [ "$seal" = "$(cat "$RUN/imds")" ] && return
	imds_ruleset | nft -f - && nft_seal >"$RUN/imds" && changed=100
}

# rule FAMILY RULE. "protocol kernel": systemd-networkd deletes rules that it takes for foreign.
rule() {
	family=$1
	shift
	error=$(ip "$family" rule add protocol kernel "$@" 2>&1) ||
		case $error in *exists*) ;; *) return 1 ;; esac
}

# "goto 13" steps over 12 and leaves root to the host's own routing, whichever table that is.
# Allowed users come before the prohibition, so root is never locked out, not for an instant.
# "iif lo" means made on this host: for what is forwarded the prohibition alone counts.
ip_lock() {
	rule "$1" pref 13 to "$2" nop || return 1
	uids=$(imds_uids)
	for uid in $uids; do
		rule "$1" pref 10 to "$2" iif lo uidrange "$uid-$uid" goto 13 || return 1
	done
	rule "$1" pref 12 to "$2" prohibit || return 1
	for uid in $(ip "$1" rule show | sed -n "s/^10:.* to $2 .*uidrange \([0-9]*\)-.*/\1/p"); do
		echo "$uids" | grep -qx "$uid" || ip "$1" rule del pref 10 to "$2" uidrange "$uid-$uid"
	done
	# The kernel's own word: 4294967294 is nobody's uid.
	ip route get "$2" uid 4294967294 2>&1 | grep -q denied
}

# The prohibition goes first, for root's sake.
ip_unlock() {
	for pref in 12 10 13; do
		while ip "$1" rule del pref $pref to "$2" 2>/dev/null; do :; done
	done
}

# both COMMAND: with -4 and its address, and where there is IPv6 with -6 and its.
both() {
	"$@" -4 $IMDS4 && { [ ! -e /proc/net/if_inet6 ] || "$@" -6 $IMDS6; }
}

imds_lock() {
	mkdir -p "$RUN"
	before=$(both ip_rules)
	if nft_lock 2>/dev/null; then
		both ip_unlock
		echo nftables
	elif both ip_lock; then
		echo 'ip rules'
	else
		echo 'neither nftables nor ip rules: metadata is open'
		return 1
	fi
	[ "$before" = "$(both ip_rules)" ] || changed=100
	return "$changed"
}

ip_rules() {
	ip "$1" rule show
}
