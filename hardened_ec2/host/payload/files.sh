#!/bin/sh
# What several steps share: units that are enabled, services that look again, lines of a file.

# shellcheck disable=SC2034,SC2154 # report.sh and boot.sh set what is not set here

# put_text PATH MODE TEXT. Not "echo | put": what put says of a change would end with the pipe.
put_text() {
	put "$1" "$2" <<EOF
$3
EOF
}

# restrict MODE OWNER PATH...: those that are there and no links.
restrict() {
	mode=$1 owner=$2
	shift 2
	for path; do
		[ -e "$path" ] && [ ! -L "$path" ] || continue
		was=$(stat -c %a:%u:%g "$path")
		chown "$owner" "$path" && chmod "$mode" "$path" || return
		[ "$was" = "$(stat -c %a:%u:%g "$path")" ] || changed=100
	done
}

# enable_units UNIT..., after their files were written.
enable_units() {
	for unit; do
		systemctl -q is-enabled "$unit" 2>/dev/null || { systemctl -q enable "$unit" && changed=100; } || return
	done
	reload_units
}

# live COMMAND UNIT...: to a systemd that runs. A boothook runs inside the boot: it must not wait for
# units that wait for it.
live() {
	[ ! -d /run/systemd/system ] || systemctl --no-block "$@"
}

reload_units() {
	[ "$changed" = 0 ] || live daemon-reload
}

# restart UNIT...: those that run take up what was changed. What does not run yet will read the new
# text by itself.
restart() {
	[ "$changed" = 0 ] || live try-restart "$@" 2>/dev/null || :
}

# set_lines FILE TEXT [ADDRESS]: TEXT, its lines joined by "\n", stands in FILE behind the line of
# sed's ADDRESS, or at the end, and what FILE said of the same keys is gone. Comments stay. Two steps
# with lines at the end of one file do not take turns.
set_lines() {
	keys="^[ 	]*($(printf %b "$2" | sed 's/[ =].*//' | paste -sd'|'))[ 	=]"
	[ "$3" ] || [ "$(grep -E "$keys" "$1")" != "$(printf %b "$2")" ] || return 0
	put_text "$1" "$(stat -c %a "$1")" "$(sed -E "${3:-$}a $2
/$keys/d" "$1")"
}
