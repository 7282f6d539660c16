#!/bin/sh
# How a step tells its outcome, how a file is written, and where the result of a run goes.
#
# A step is a function. It prints one line at most, its reason, and returns
# 0 (ok: all was as wanted), 100 (changed), 101 (skipped) or anything else (failed).

STATE=/var/lib/hardened-ec2
# shellcheck disable=SC2034 # the other files of the program read it
RUN=/run/hardened-ec2
changed=0
outcomes=

# step NAME FUNCTION. The substitution is a subshell: no step can disturb the next one.
step() {
	reason=$("$2")
	case $? in
	0) outcome=ok ;;
	100) outcome=changed ;;
	101) outcome=skipped ;;
	*) outcome=failed ;;
	esac
	outcomes="$outcomes$outcome $1 $reason
"
}

# put PATH MODE <TEXT. Written beside the target and renamed, so that neither a reader nor a full
# disk nor a power cut ever meets half a file; a link planted at PATH is replaced, not followed.
put() {
	(umask 022 && mkdir -p "${1%/*}") && new=$(mktemp "$1.XXXXXX") || return 1
	if cat >"$new" && chmod "$2" "$new"; then
		cmp -s "$new" "$1" && [ "$(stat -c %a:%u:%g "$1")" = "$2:0:0" ] && rm "$new" && return
		# shellcheck disable=SC2034 # a step returns it
		mv -fT "$new" "$1" && changed=100 && relabel "$1" && return
	fi
	rm -f "$new"
	return 1
}

relabel() {
	! command -v restorecon >/dev/null || restorecon -F "$1"
}

report() {
	mkdir -p "$STATE"
	printf '%s' "$outcomes" | put "$STATE/status" 600 || outcomes="${outcomes}failed report
"
	result=
	for outcome in ok changed skipped failed; do
		result="$result $outcome=$(printf '%s' "$outcomes" | grep -c "^$outcome ")"
	done
	logger -t hardened-ec2 "$result $(printf '%s' "$outcomes" | grep ^failed)"
	echo "HARDENING-RESULT$result" | tee /dev/console 2>/dev/null
	[ "${result##*=}" = 0 ]
}
