#!/bin/sh
# The end of the readable part: close the metadata, then unpack the rest of the program and run it.
#
# The rest is checked before anything of it runs, and it never lies on the disk by itself: it is
# evaluated as it is, so there is no file to plant or to run out of space for. What cannot be
# unpacked leaves the metadata locked, and a failure that shows.

# shellcheck disable=SC2154 # PROFILE and SHA256 stand in front of the program

umask 077
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
STATE=/var/lib/hardened-ec2
# shellcheck disable=SC2034 # the other files of the program read them
RUN=/run/hardened-ec2 changed=0

ip_rules() {
	ip rule && ip -6 rule
} 2>/dev/null

# shellcheck disable=SC2034 # imds_lock compares
before=$(ip_rules)
# shellcheck disable=SC2086 # three words
nft list $TABLE >/dev/null 2>&1 || imds_ruleset | nft -f - 2>/dev/null ||
	{ close -4 $IMDS4 && close -6 $IMDS6; } 2>/dev/null

program=$(rest 2>/dev/null)
if [ "$(printf '%s\n' "$program" | sha256sum)" != "$SHA256  -" ]; then
	mkdir -p $STATE
	echo "{\"profile\":\"$PROFILE\",\"failed\":1,\"steps\":[{\"name\":\"unpack\",\"outcome\":\"failed\"}]}" >$STATE/status.json
	echo HARDENING-RESULT failed=1 unpack | tee /dev/console 2>/dev/null | logger -t hardened-ec2
	exit 1
fi
eval "$program"
