#!/bin/sh
# A shell that was left alone ends.

# shellcheck disable=SC2016,SC2154 # report.sh, and the shell that reads the file, know the rest

# bash only waits with a limit; in a shell that has one already, it may be read-only.
idle_shells() {
	put_text /etc/profile.d/hardened-ec2-idle.sh 644 '[ ! "$BASH" ] || [ "$TMOUT" ] ||
declare -xr TMOUT=600'
}
