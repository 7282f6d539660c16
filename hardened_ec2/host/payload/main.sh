#!/bin/sh
# Which steps, in which order: the metadata first, it is open from the first packet on.

umask 077
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C

apply() {
	step imds-lock imds_lock
	step install install_self
	step imds-units imds_units
	step user-data-files user_data_files
	step sshd harden_sshd
	report
}

case ${1-apply} in
apply) apply ;;
imds-lock)
	imds_lock
	case $? in 0 | 100) exit 0 ;; esac
	exit 1
	;;
*)
	echo "hardened-ec2: unknown command '$1': write 'apply' or 'imds-lock'" >&2
	exit 2
	;;
esac
