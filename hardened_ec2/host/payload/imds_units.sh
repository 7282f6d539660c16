#!/bin/sh
# What keeps the lock in force: before the network at boot, again when a user is added, again
# within a minute whoever removed it, and closed for everyone but root if the loader itself fails.

SELF=/usr/local/sbin/hardened-ec2
UNITS=/etc/systemd/system

# The units need this program on disk. Read from a pipe there is no file to install.
install() {
	read -r first 2>/dev/null <"$0"
	[ "$first" = '#!/bin/sh' ] || skip 'not run from a file'
	put $SELF 500 <"$0"
}

# unit NAME <TEXT
unit() {
	put "$UNITS/$1" 644
}

# What close does, as lines of a unit.
closing() {
	# shellcheck disable=SC2329 # close calls it
	ip() {
		echo "ExecStart=-ip $*"
	}
	close -4 "$IMDS4" && close -6 "$IMDS6"
}

# Oneshot without RemainAfterExit: the timer and the path unit start it again and again.
# The closed unit needs nothing of ours on disk.
# A timer or path is ordered before what it starts and, by default, after sysinit.target, which waits
# for the network that the lock precedes: a circle, and systemd drops cloud-init to break it.
# nftables.service flushes every table when it starts, reloads and stops.
# cloud-init and the user's script write files after the boothook: hardened-ec2.service looks again,
# and its state is the result that stays.
imds_units() {
	unit hardened-ec2-imds.service <<EOF &&
[Unit]
Description=Lock instance metadata
DefaultDependencies=no
After=local-fs.target nftables.service
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
OnFailure=hardened-ec2-imds-closed.service
StartLimitIntervalSec=0
[Service]
Type=oneshot
ExecStart=$SELF imds-lock
LogLevelMax=notice
[Install]
WantedBy=sysinit.target
EOF
	unit hardened-ec2-imds-closed.service <<EOF &&
[Unit]
Description=Close instance metadata
DefaultDependencies=no
[Service]
Type=oneshot
$(closing)
EOF
	unit hardened-ec2-imds.timer <<EOF &&
[Unit]
Description=Lock instance metadata
DefaultDependencies=no
Before=shutdown.target
Conflicts=shutdown.target
[Timer]
OnBootSec=1min
OnUnitActiveSec=1min
AccuracySec=5s
[Install]
WantedBy=timers.target
EOF
	unit hardened-ec2-imds.path <<EOF &&
[Unit]
Description=Lock instance metadata
DefaultDependencies=no
Before=shutdown.target
Conflicts=shutdown.target
[Path]
PathChanged=/etc/passwd
[Install]
WantedBy=paths.target
EOF
	unit nftables.service.d/hardened-ec2.conf <<EOF &&
[Service]
ExecStartPost=-$SELF imds-lock
ExecReload=-$SELF imds-lock
ExecStopPost=-$SELF imds-lock
EOF
	unit hardened-ec2.service <<EOF || return
[Unit]
Description=Apply the hardening after cloud-init
After=cloud-final.service
[Service]
Type=oneshot
ExecStart=$SELF finish
[Install]
WantedBy=cloud-init.target
EOF
	enable_units hardened-ec2-imds.service hardened-ec2-imds.timer hardened-ec2-imds.path hardened-ec2.service &&
		live start hardened-ec2-imds.timer hardened-ec2-imds.path &&
		{ [ -e "$FINISHED" ] || live start hardened-ec2.service; }
}
