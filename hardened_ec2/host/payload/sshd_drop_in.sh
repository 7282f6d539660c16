#!/bin/sh
# The text of the sshd drop-in: what this very sshd understands of what is wanted.

# shellcheck disable=SC2154 # $tmp is the private directory of harden_sshd

# accepts TEXT: whether sshd starts with this text as its whole configuration.
accepts() {
	echo "$1" >"$tmp/text" && sshd -t -h "$tmp/key" -f "$tmp/text" 2>/dev/null
}

# ECDSA host keys are left out, unless the host has no other: then no client could connect. Before
# cloud-init makes the keys there are none, and it makes all kinds.
host_key_algorithms() {
	keys=$(sshd -T -h "$tmp/key" -f "$tmp/main" 2>/dev/null | grep '^hostkey ' | grep -vF "$tmp")
	case ${keys:-$(ls /etc/ssh/ssh_host_*_key 2>/dev/null)} in
	'' | *ed25519* | *_rsa*) echo '-*ecdsa-*,ssh-rsa*,ssh-dss*' ;;
	*) echo '-ssh-rsa*,ssh-dss*' ;;
	esac
}

# understood <LINES: those that this sshd knows. All at once if it knows all.
understood() {
	lines=$(cat)
	if accepts "$lines"; then
		echo "$lines"
	else
		echo "$lines" | while read -r line; do
			! accepts "$line" || echo "$line"
		done
	fi
}

# RequiredRSASize is not more than 2048: the RSA key pairs that EC2 makes have 2048 bits.
# No AuthorizedKeysCommand (EC2 Instance Connect brings its own), no Subsystem (a second one is
# fatal), no UsePAM (with "no", the locked passwords of cloud users lock out their keys too).
# Algorithms: what this sshd offers, without what is weak. A name that it does not know does no
# harm behind "-", while in a plain list one is fatal; and a newer sshd keeps what it adds. DH groups
# 16 and 18 stay for clients in FIPS mode.
#
# In strict only the administrators that are named log in; sshd takes no empty list.
settings() {
	tries=4 sessions=10
	[ "$PROFILE" != strict ] || {
		tries=3 sessions=4
		[ ! "$ADMIN_USERS" ] || echo "AllowUsers $ADMIN_USERS"
		[ ! "$ADMIN_GROUPS" ] || echo "AllowGroups $ADMIN_GROUPS"
	}
	[ ! "$BANNER" ] || echo Banner /etc/issue.net
	cat <<EOF
HostbasedAuthentication no
IgnoreRhosts yes
PermitUserEnvironment no
LoginGraceTime 30
MaxAuthTries $tries
MaxSessions $sessions
MaxStartups 10:30:60
ClientAliveInterval 300
ClientAliveCountMax 2
TCPKeepAlive no
Compression no
X11Forwarding $X11_FORWARDING
AllowAgentForwarding no
AllowTcpForwarding $ALLOW_TCP_FORWARDING
AllowStreamLocalForwarding $ALLOW_TCP_FORWARDING
GatewayPorts no
PermitTunnel no
LogLevel VERBOSE
GSSAPIAuthentication no
PerSourceMaxStartups 10
EOF
	# Where the system has one policy for all its cryptography (Amazon Linux, RHEL, FIPS) it stands.
	[ -e /etc/crypto-policies/back-ends/opensshserver.config ] ||
		[ "$(cat /proc/sys/crypto/fips_enabled 2>/dev/null)" = 1 ] || cat <<EOF
KexAlgorithms -ecdh-*,diffie-hellman-group14-*,diffie-hellman-group-*,*-sha1
Ciphers -*-cbc*
MACs -*sha1*,*md5*,umac-64*,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512
HostKeyAlgorithms $(host_key_algorithms)
EOF
}

# What not every sshd knows that is in use: apart, since each line of these is tried by itself then.
options() {
	cat <<EOF
PerSourcePenalties yes
RequiredRSASize 2048
DebianBanner no
EOF
}

KEYS_ONLY='PasswordAuthentication no
KbdInteractiveAuthentication no
PermitEmptyPasswords no
PermitRootLogin no
AuthenticationMethods publickey
PubkeyAuthentication yes'

# Said twice: the first value that sshd reads wins, but a Match block beats it, unless it has been
# beaten itself by a Match block that comes before.
drop_in() {
	echo "$KEYS_ONLY"
	settings | understood
	options | understood
	echo "Match all
$KEYS_ONLY"
}
