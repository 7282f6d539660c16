#!/bin/sh
# What several steps share: units that are enabled, services that look again, lines of a file.

# shellcheck disable=SC2034,SC2154 # report.sh and boot.sh set what is not set here

# put_text PATH MODE TEXT. Not "echo | put": what put says of a change would end with the pipe.
put_text() {
	put "$1" "$2" <<EOF
$3
EOF
}

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

# set_lines FILE TEXT [LINE]: TEXT stands in FILE behind LINE, or at the end, and what it said of the
# same keys is gone. Comments stay. Two steps with lines at the end of one file do not take turns.
set_lines() {
	keys="^[ 	]*($(echo "$2" | sed 's/[ =].*//' | paste -sd'|'))[ 	=]"
	[ "$3" ] || [ "$(grep -E "$keys" "$1")" != "$2" ] || return 0
	put_text "$1" "$(stat -c %a "$1")" "$(text=$2 at=$3 keys=$keys awk '
		$0 !~ ENVIRON["keys"]
		ENVIRON["at"] && $0 == ENVIRON["at"] { print ENVIRON["text"] }
		END { if (!ENVIRON["at"]) print ENVIRON["text"] }' "$1")"
}
