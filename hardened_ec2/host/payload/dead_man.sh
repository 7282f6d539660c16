#!/bin/sh
# What takes back a run on a live host that did not come to its end, or after which sshd answers no
# more: the administrator's connection broke, the machine stalled, the settings were wrong.
#
# Back means to what was before this run, not to no hardening. At the first boot there is nothing to
# go back to and nobody to lock out; there the steps' own proofs have to do.

# shellcheck disable=SC2154 # the other files of the program set what is not set here

DEAD_MAN=hardened-ec2-revert
FIREWALL='table inet hardened_ec2_firewall'

# Stopped first: one that an earlier run left behind is answered for by this run.
arm() {
	armed=
	[ -d /run/systemd/system ] && [ -e "$FINISHED" ] && [ -x "$SELF" ] && command -v systemd-run >/dev/null || return 0
	systemctl stop $DEAD_MAN.timer 2>/dev/null
	greeting && answered=1 || answered=
	rm -f "$RUN/before"*
	cp -p "$SSH/$DROP_IN" "$RUN/before" 2>/dev/null
	# shellcheck disable=SC2086 # three words
	nft list $FIREWALL >"$RUN/before.nft" 2>/dev/null
	if systemd-run --quiet --collect --unit=$DEAD_MAN --on-active=5min "$SELF" revert; then
		armed=1
	else
		record dead-man-switch 1 'systemd-run failed: nothing would take back a lock-out'
	fi
}

# Only what answered before has to answer now.
disarm() {
	[ "$armed" ] || return 0
	if [ ! "$answered" ] || greeting || { sleep 2 && greeting; }; then
		systemctl stop $DEAD_MAN.timer
	else
		take_back
		record dead-man-switch 1 'sshd answers no more: its settings and the firewall were taken back'
	fi
}

take_back() {
	tmp=$(mktemp -d "$RUN/revert.XXXXXX")
	find_service
	if [ -e "$RUN/before" ]; then
		put "$SSH/$DROP_IN" 600 <"$RUN/before" && reload
	else
		revert
	fi
	rm -rf "$tmp"
	! command -v nft >/dev/null || { echo "$FIREWALL" && echo "delete $FIREWALL" && cat "$RUN/before.nft"; } | nft -f -
}

# revert: what the switch runs.
fall_back() {
	take_back
	record dead-man-switch 1 'a run did not end: settings of sshd and the firewall were taken back'
	report
}
