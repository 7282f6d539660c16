#!/bin/sh
# The lock of the metadata, kept as it should be: nftables first, ip rules where nftables is missing
# or refuses. Each layer is put in place whole before the other one is taken away, so no reload has
# a moment without a lock.

# shellcheck disable=SC2034,SC2154 # imds_ruleset.sh and boot.sh set what is not set here

# seal TABLE RULES: what was asked for and what the kernel shows for it.
seal() {
	# shellcheck disable=SC2086 # three words
	live=$(nft -s list $1) && echo "$2 $live"
}

# load TABLE RULES: again if either of both has changed. One transaction: the old table stands until
# the new one does.
load() {
	mark="$RUN/${1##*_}"
	seal=$(seal "$@") && [ "$seal" = "$(cat "$mark")" ] && return
	echo "$2" | nft -f - && seal "$@" >"$mark" && changed=100
} 2>/dev/null

# rule FAMILY RULE
rule() {
	family=$1
	shift
	error=$(ip "$family" rule add protocol kernel "$@" 2>&1) ||
		case $error in *exists*) ;; *) return 1 ;; esac
}

# Where forwarded sources are let in, what is made on this host is prohibited before: a local program
# may take any of the host's addresses as its own, also one of theirs. Others start from none.
ip_sources() {
	[ "$IMDS_CONTAINERS" = "$(cat "$RUN/sources$1" 2>/dev/null)" ] || ip_unrule "$1" "$2" 11 12
	[ ! "$IMDS_CONTAINERS" ] || rule "$1" pref 11 to "$2" iif lo prohibit || return 1
	for from in $IMDS_CONTAINERS; do
		case $1$from in
		-4*:* | -6*.*/*) continue ;;
		*/*) from="from $from" ;;
		*) from="iif $from" ;;
		esac
		# shellcheck disable=SC2086 # two words
		rule "$1" pref 12 to "$2" $from goto 14 || return 1
	done
	echo "$IMDS_CONTAINERS" >"$RUN/sources$1"
}

# As close does it, with every user who is allowed. They come before the prohibition, so root is
# never locked out, not for an instant. For what is forwarded the prohibition alone counts.
ip_lock() {
	rule "$1" pref 14 to "$2" nop || return 1
	uids=$(imds_uids)
	for uid in $uids; do
		rule "$1" pref 10 to "$2" iif lo uidrange "$uid-$uid" goto 14 || return 1
	done
	ip_sources "$1" "$2" && rule "$1" pref 13 to "$2" prohibit || return 1
	for uid in $(ip "$1" rule show | sed -n "s/^10:.* to $2 .*uidrange \([0-9]*\)-.*/\1/p"); do
		echo "$uids" | grep -qx "$uid" || ip "$1" rule del pref 10 to "$2" uidrange "$uid-$uid"
	done
	# The kernel's own word: 4294967294 is nobody's uid.
	ip route get "$2" uid 4294967294 2>&1 | grep -q denied
}

# ip_unrule FAMILY ADDRESS PREFERENCE...
ip_unrule() {
	family=$1 to=$2
	shift 2
	for pref; do
		while ip "$family" rule del pref "$pref" to "$to" 2>/dev/null; do :; done
	done
}

# The prohibition goes first, for root's sake.
ip_unlock() {
	ip_unrule "$1" "$2" 13 11 12 10 14
}

# both COMMAND: with -4 and its address, and where there is IPv6 with -6 and its.
both() {
	"$@" -4 "$IMDS4" && { [ ! -e /proc/net/if_inet6 ] || "$@" -6 "$IMDS6"; }
}

imds_lock() {
	if load "$TABLE" "$(imds_ruleset)"; then
		both ip_unlock
		echo nftables
	elif both ip_lock; then
		echo 'ip rules'
	else
		fail 'metadata is open: neither nftables nor ip rules'
	fi
	[ "$before" = "$(ip_rules)" ] || changed=100
}
