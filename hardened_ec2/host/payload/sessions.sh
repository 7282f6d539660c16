#!/bin/sh
# Login sessions get no instance metadata, whatever uid they reach through sudo.

# shellcheck disable=SC2034,SC2154 # the other files of the program set what is not set here

# Root's own slice and those of the named users may: on some distributions a job of cron is a session
# there. sudo and su stay in the slice of who logged in, so this opens nothing to them. What was
# written for a user who is not named any more goes at the end of the run.
imds_sessions() {
	[ -e /sys/fs/cgroup/cgroup.controllers ] || skip 'no unified control groups'
	for uid in '' $(imds_uids); do
		[ "$uid" ] && rule=Allow || rule=Deny
		unit "user${uid:+-$uid}.slice.d/hardened-ec2.conf" <<EOF || return
[Slice]
IPAddress$rule=$IMDS4 $IMDS6
EOF
	done
	# Slices that are there take it up at once.
	reload_units
}
