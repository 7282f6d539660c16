#!/bin/sh
# What several steps share: units that are enabled, services that look again, lines of a file.

# shellcheck disable=SC2034,SC2154 # report.sh and boot.sh set what is not set here

# enable_unit NAME, after its file was written.
enable_unit() {
	systemctl -q is-enabled "$1" 2>/dev/null || { systemctl -q enable "$1" && changed=100; } && reload_units
}

reload_units() {
	[ "$changed" = 0 ] || [ ! -d /run/systemd/system ] || systemctl daemon-reload
}

# restart UNIT...: those that run take up what was changed. A boothook runs inside the boot, so this
# does not wait; what does not run yet will read the new text by itself.
restart() {
	[ "$changed" = 0 ] || [ ! -d /run/systemd/system ] || systemctl --no-block try-restart "$@" 2>/dev/null || :
}

# set_lines FILE ADDRESS <LINES: they stand in FILE behind sed's ADDRESS, and what it said of the same
# keys is gone. Comments stay.
set_lines() {
	lines=$(cat)
	keys=$(echo "$lines" | sed 's/[ =].*//' | paste -sd'|')
	echo "$lines" | sed -E "$2r /dev/stdin
/^[[:space:]]*($keys)[[:space:]=]/d" "$1" | put "$1" "$(stat -c %a "$1")"
}
