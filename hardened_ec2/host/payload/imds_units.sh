#!/bin/sh
# What keeps the lock in force: before the network at boot, again when a user is added, again
# within a minute whoever removed it, and closed for everyone but root if the loader itself fails.

SELF=/usr/local/sbin/hardened-ec2
UNITS=/etc/systemd/system

# The units need this program on disk. Read from a pipe there is no file to install.
install_self() {
	read -r first 2>/dev/null <"$0"
	[ "$first" = '#!/bin/sh' ] || { echo 'not run from a file' && return 101; }
	put $SELF 500 <"$0" && return "$changed"
}

# unit NAME <TEXT
unit() {
	put "$UNITS/$1" 644
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
ExecStart=/bin/sh -c 'for to in "-4 $IMDS4" "-6 $IMDS6"; do set -- \$\$to; r="ip \$\$1 rule add protocol kernel to \$\$2 pref"; \$\$r 14 nop; \$\$r 10 iif lo uidrange 0-0 goto 14; \$\$r 13 prohibit; done; :'
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
	unit hardened-ec2.service <<EOF || return 1
[Unit]
Description=Apply the hardening after cloud-init
After=cloud-final.service
[Service]
Type=oneshot
ExecStart=$SELF finish
[Install]
WantedBy=cloud-init.target
EOF
	for name in -imds.service -imds.timer -imds.path .service; do
		systemctl -q is-enabled hardened-ec2$name 2>/dev/null && continue
		systemctl -q enable hardened-ec2$name && changed=100 || return 1
	done
	[ -d /run/systemd/system ] || return "$changed"
	[ "$changed" = 0 ] || systemctl daemon-reload
	# A boothook runs inside the boot: it must not wait for units that wait for it.
	systemctl start --no-block hardened-ec2-imds.timer hardened-ec2-imds.path &&
		{ [ -e "$FINISHED" ] || systemctl start --no-block hardened-ec2.service; } && return "$changed"
}
