#!/bin/sh
# The notice that sshd shows before a login; its drop-in names the file.

# shellcheck disable=SC2154 # report.sh and the options set what is not set here

login_banner() {
	[ "$BANNER" ] || skip 'no text given'
	put_text /etc/issue 644 "$BANNER" && put_text /etc/issue.net 644 "$BANNER"
}
