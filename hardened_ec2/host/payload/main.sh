#!/bin/sh
# What a command does. STEPS, in front of the program, has the names of all its steps in order, and
# the option WITHOUT those to leave out.

# shellcheck disable=SC2154 # boot.sh and the options set what is not set here

# The function of a step is its name with "_" for "-", but where that is another command's name.
function_of() {
	case $1 in
	install) echo install_self ;;
	sshd) echo harden_sshd ;;
	*) echo "$1" | tr - _ ;;
	esac
}

apply() {
	mkdir -p "$RUN" "$STATE"
	[ -e "$FINISHED" ] || : >"$RUN/first-boot"
	arm
	for name in $STEPS; do
		case " $WITHOUT " in *" $name "*) continue ;; esac
		step "$name" "$(function_of "$name")"
	done
	disarm
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
	case $? in 0 | 100) ;; *) exit 1 ;; esac
	;;
revert) fall_back ;;
status) show_status ;;
program) printf '%s\n' "$program" ;;
*)
	echo "hardened-ec2: unknown command '$1': write 'apply', 'status', 'program', 'revert' or 'imds-lock'" >&2
	exit 2
	;;
esac
