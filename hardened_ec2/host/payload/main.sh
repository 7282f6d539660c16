#!/bin/sh
# What a command does. STEPS, in front of the program, has the functions of all its steps in order,
# and the option WITHOUT the names of those to leave out.

# shellcheck disable=SC2154 # boot.sh and the options set what is not set here

# A step's name is its function's, with "-" for "_"; harden_sshd leaves sshd's own to sshd.
name_of() {
	echo "${1#harden_}" | tr _ -
}

apply() {
	mkdir -p "$RUN" "$STATE"
	written=$RUN/written.$$
	# What cloud-init wrote a moment ago is not on the disk yet, and with a torn file of its own it
	# makes no host keys: after a power cut from here on nobody would get in.
	[ -e "$FINISHED" ] || { sync -f /var/lib/cloud 2>/dev/null; : >"$RUN/first-boot"; }
	arm
	for each in $STEPS; do
		name=$(name_of "$each")
		case " $WITHOUT " in *" $name "*) continue ;; esac
		step "$name" "$each"
	done
	disarm
	take_away
}

# What an earlier run wrote, and this one did not, is of a control that is switched off by now. Only
# files of ours, and only after a run in which nothing failed: a step that failed may not have come
# to its files. What was changed in the files of others stays, and so do masked units.
take_away() {
	if [ "$(count failed)" = 0 ]; then
		gone=$(grep -sx '/etc/.*hardened-ec2.*' "$STATE/written" | grep -vxFf "$written" | sort -u)
		mv -f "$written" "$STATE/written"
		for path in $gone; do
			case $path in
			*.service) systemctl -q disable "${path##*/}" ;;
			*.nft) head -n 2 "$path" | nft -f - ;;
			esac
			rm -f "$path"
			# shellcheck disable=SC2034 # reload_units reads it
			changed=100
		done
		[ ! "$gone" ] || { reload_units && record switched-off 100 "$gone"; }
	else
		cat "$written" >>"$STATE/written"
		rm "$written"
	fi
	written=
}

case ${1-apply} in
apply)
	apply
	report
	;;
finish)
	apply
	[ ! "${SIGNAL-}" ] || step signal send_signal
	report
	;;
imds-lock)
	mkdir -p "$RUN"
	imds_lock
	;;
revert)
	take_back 'the last run did not end'
	report
	;;
status) show_status ;;
program) printf '%s\n' "$program" ;;
*)
	echo "hardened-ec2: unknown command '$1': write apply, status, program, revert or imds-lock" >&2
	exit 2
	;;
esac
