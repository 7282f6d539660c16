#!/bin/sh
# What takes back a run on a live host that did not come to its end, or after which sshd answers no
# more: the administrator's connection broke, the machine stalled, the settings were wrong.
#
# Back means to what was before this run, not to no hardening. At the first boot there is nothing to
# go back to and nobody to lock out; there the steps' own proofs have to do.

# shellcheck disable=SC2034,SC2154 # the other files of the program set what is not set here

DEAD_MAN=hardened-ec2-revert

# Stopped first: one that an earlier run left behind is answered for by this run. Only strict has a
# firewall.
arm() {
	armed=
	[ -d /run/systemd/system ] && [ -e "$FINISHED" ] && [ -x "$SELF" ] || return 0
	systemctl stop $DEAD_MAN.timer 2>/dev/null
	greeting && answered=1 || answered=
	rm -f "$RUN/before"*
	cp -p "$SSH/$DROP_IN" "$RUN/before" 2>/dev/null
	! has keep_firewall || keep_firewall
	if systemd-run --quiet --collect --unit=$DEAD_MAN --on-active=5min "$SELF" revert; then
		armed=1
	else
		record dead-man-switch 1 'systemd-run failed'
	fi
}

disarm() {
	[ "$armed" ] || return 0
	if answers; then
		systemctl stop $DEAD_MAN.timer
	else
		take_back 'sshd answers no more'
	fi
}

# take_back REASON
take_back() {
	tmp=$(mktemp -d "$RUN/revert.XXXXXX")
	find_service
	if [ -e "$RUN/before" ]; then
		put "$SSH/$DROP_IN" 600 <"$RUN/before" && reload
	else
		revert
	fi
	rm -rf "$tmp"
	! has restore_firewall || restore_firewall
	record dead-man-switch 1 "$1: settings of sshd and the firewall were taken back"
}
