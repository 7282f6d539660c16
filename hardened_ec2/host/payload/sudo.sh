#!/bin/sh
# sudo: a terminal of its own for what it starts; in strict no program of the current directory, and a
# log of its own.

# shellcheck disable=SC2154 # report.sh, boot.sh and the options set what is not set here

# One file that sudo does not understand, and nobody is root any more. So each line is tried alone
# (sudo-rs knows no log file), and all of it again in its place: by -f without the modes of the
# image's own files, which sudo is less strict about than visudo.
sudo_pty() {
	has visudo || skip 'no sudo'
	grep -q '^[@#]includedir *	*/etc/sudoers\.d' /etc/sudoers || fail 'sudoers does not include sudoers.d'
	[ "$PROFILE" = strict ] && set -- ignore_dot logfile=/var/log/sudo.log
	text=$(for setting in use_pty "$@"; do
		echo "Defaults $setting" >"$RUN/sudoers"
		! visudo -cf "$RUN/sudoers" >/dev/null 2>&1 || cat "$RUN/sudoers"
	done)
	put_text /etc/sudoers.d/00-hardened-ec2 440 "$text" || return
	visudo -cf /etc/sudoers >/dev/null 2>&1 && return
	rm /etc/sudoers.d/00-hardened-ec2
	fail 'sudoers is not valid, left as found'
}
