#!/bin/sh
# /dev/shm and /tmp with the options that a directory for everyone should have.

# shellcheck disable=SC2034,SC2154 # report.sh and the options set what is not set here

# remount DIRECTORY OPTION... Per mount, not per file system, beside the options that it has. A /tmp
# that is no mount becomes one, on top of itself: the same files, the same disk, nothing to size. A
# link is not followed. The kernel's number of the mount, since a list of them has covered ones too.
remount() {
	directory=$1
	[ -d "$directory" ] && [ ! -L "$directory" ] || return 0
	now=$(awk '$1 == "mnt_id:" { id = $2 } $1 == id && $5 == at { print $6 }' at="$directory" /proc/self/fdinfo/0 /proc/self/mountinfo <"$directory")
	[ "$now" ] || { mount --bind "$directory" "$directory" && now=rw; } || return
	wanted=$now
	shift
	for option; do
		case ,$now, in *,$option,*) ;; *) wanted=$wanted,$option ;; esac
	done
	[ "$now" = "$wanted" ] || { mount -o "remount,bind,$wanted" "$directory" && changed=100; }
}

# At every boot anew, since nothing is left on disk: options in fstab or in a drop-in of tmp.mount
# would meet a file system that is not ours, and one that does not know them stops the boot.
mount_options() {
	remount /dev/shm nosuid nodev noexec || return
	[ "$PROFILE" = strict ] && set -- noexec
	remount /tmp nosuid nodev "$@"
}
