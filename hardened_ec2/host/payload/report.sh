#!/bin/sh
# How a step tells its outcome, how a file is written, and where the result of a run goes.
#
# A step is a function. It prints one line at most, its reason. It succeeds (ok, or changed where it
# sets "changed"), fails, or ends by itself with skip or fail.

# shellcheck disable=SC2154 # boot.sh sets $STATE, the options set $PROFILE

outcomes=

# step NAME FUNCTION. The substitution is a subshell: no step can disturb the next one.
step() {
	reason=$("$2" && exit "$changed")
	record "$1" $? "$reason"
}

# skip REASON, fail REASON: the end of the step.
skip() {
	echo "$1"
	exit 101
}

fail() {
	echo "$1"
	exit 1
}

# has COMMAND: whether it is installed, or a function of the program.
has() {
	command -v "$1" >/dev/null
}

# record NAME CODE REASON. A reason quotes what it found on the host: it becomes one line of plain
# characters here, and nothing that it says can make another line or another step.
record() {
	case $2 in
	0) outcome=ok ;;
	100) outcome=changed ;;
	101) outcome=skipped ;;
	*) outcome=failed ;;
	esac
	outcomes="$outcomes$outcome $1 $(printf %.300s "$3" | tr -c ' -~' '?')
"
}

# put PATH MODE <TEXT. Compared first: what is as wanted needs no space, so a full disk takes nothing
# away. Then written beside the target and renamed, so that neither a reader nor a full disk nor a
# power cut ever meets half a file; a link planted at PATH is replaced, not followed.
put() {
	echo "$1" >>"${written:-/dev/null}"
	content=$(cat && echo .)
	printf %s "${content%.}" | cmp -s - "$1" && [ "$(stat -c %a:%u:%g "$1")" = "$2:0:0" ] && return
	(umask 022 && mkdir -p "${1%/*}") && new=$(mktemp "$1.XXXXXX") || return
	# shellcheck disable=SC2034 # a step returns it
	printf %s "${content%.}" >"$new" && chmod "$2" "$new" && mv -fT "$new" "$1" && changed=100 && relabel "$1" && return
	rm -f "$new"
	return 1
}

relabel() {
	! has restorecon || restorecon -F "$1"
}

# count OUTCOME
count() {
	printf %s "$outcomes" | grep -c "^$1 "
}

# The version is the program's own checksum, not the release's number: that would be other user data,
# which restarts servers, where nothing of the hardening changed.
# An outcome and a step's name are plain words; a reason may have quotes and backslashes.
status_json() {
	cat <<EOF
{"version":"$(printf %.12s "$SHA256")","profile":"$PROFILE","time":"$(date -u +%FT%TZ)","failed":$(count failed),"steps":[
$(printf %s "$outcomes" | sed 's/["\\]/\\&/g; s/\([^ ]*\) \([^ ]*\) \(.*\)/{"name":"\2","outcome":"\1","reason":"\3"}/; $!s/$/,/')
]}
EOF
}

report() {
	status_json | put "$STATE/status.json" 600 || record report 1 'status not written'
	result="ok=$(count ok) changed=$(count changed) skipped=$(count skipped) failed=$(count failed)"
	logger -t hardened-ec2 "$result $(printf %s "$outcomes" | grep ^failed)"
	echo "HARDENING-RESULT $result" | tee /dev/console 2>/dev/null
	[ "${result##*=}" = 0 ]
}

# status: what the last run said; succeeds if it was well.
show_status() {
	cat "$STATE/status.json" && grep -q '"failed":0,' "$STATE/status.json"
}
