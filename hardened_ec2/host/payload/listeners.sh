#!/bin/sh
# Services that listen on the network although nobody asked for them: off, and not to be started by
# another one. Nothing is removed, and what is not installed is not named in any file.

# shellcheck disable=SC2034,SC2154 # report.sh and the options set what is not set here

# NFS before version 4 needs the portmapper.
nfs_in_use() {
	systemctl -q is-enabled nfs-server.service 2>/dev/null || grep -qs '^[^#].*\snfs\s' /etc/fstab
}

# A port that is declared open is wanted.
unneeded_listeners() {
	! nfs_in_use || OPEN_PORTS="$OPEN_PORTS 111/"
	while read -r port units; do
		case " $OPEN_PORTS" in *" $port/"*) continue ;; esac
		for name in $units; do
			case $(systemctl is-enabled "$name" 2>/dev/null) in '' | not-found | masked*) continue ;; esac
			systemctl -q disable "$name" 2>/dev/null
			systemctl -q mask "$name" 2>/dev/null || fail "$name cannot be masked"
			live stop "$name"
			changed=100
		done
	done <<EOF
23 telnet.socket
69 tftp.socket tftpd-hpa.service
111 rpcbind.socket rpcbind.service
512 rexec.socket
513 rlogin.socket
514 rsh.socket
631 cups.socket cups.path cups.service cups-browsed.service
5353 avahi-daemon.socket avahi-daemon.service
EOF
	[ -e /usr/lib/systemd/systemd-resolved ] || return 0
	put /etc/systemd/resolved.conf.d/hardened-ec2.conf 644 <<EOF && restart systemd-resolved.service
[Resolve]
LLMNR=no
MulticastDNS=no
EOF
}
