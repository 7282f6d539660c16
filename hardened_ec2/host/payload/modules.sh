#!/bin/sh
# Modules that no server on EC2 needs are not loaded, not even when a program's socket asks for one.

# shellcheck disable=SC2154 # report.sh and the options set what is not set here

# Not vfat (EFI), not overlay and br_netfilter (containers). squashfs in strict only, and not where
# a snap needs it (the SSM agent of Ubuntu is one) or the kernel knows it already.
kernel_modules() {
	squashfs=
	[ "$PROFILE" != strict ] || has snap || grep -qw squashfs /proc/filesystems || squashfs=squashfs
	text=$(for module in cramfs freevxfs jffs2 hfs hfsplus dccp rds tipc sctp usb-storage firewire-core $squashfs; do
		echo "install $module /bin/false
blacklist $module"
	done)
	put_text /etc/modprobe.d/hardened-ec2.conf 644 "$text"
}
