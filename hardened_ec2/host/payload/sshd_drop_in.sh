#!/bin/sh
# The text of the sshd drop-in: what this very sshd understands of what is wanted.

# accepts TEXT: whether sshd starts with this text as its whole configuration.
accepts() {
	echo "$1" >"$tmp/text" && sshd -t -h "$tmp/key" -f "$tmp/text" 2>/dev/null
}

# RequiredRSASize is not more than 2048: the RSA key pairs that EC2 makes have 2048 bits.
# No AuthorizedKeysCommand (EC2 Instance Connect brings its own), no Subsystem (a second one is
# fatal), no UsePAM (with "no", the locked passwords of cloud users lock out their keys too).
# Algorithms: what this sshd offers, without what is weak. A name that it does not know does no
# harm behind "-", while in a plain list one is fatal; and a newer sshd keeps what it adds. DH groups
# 16 and 18 stay for clients in FIPS mode.
settings() {
	cat <<EOF
PubkeyAuthentication yes
HostbasedAuthentication no
GSSAPIAuthentication no
IgnoreRhosts yes
PermitUserEnvironment no
LoginGraceTime 30
MaxAuthTries 4
MaxSessions 10
MaxStartups 10:30:60
PerSourceMaxStartups 10
PerSourcePenalties yes
ClientAliveInterval 300
ClientAliveCountMax 2
X11Forwarding no
AllowAgentForwarding no
AllowTcpForwarding $ALLOW_TCP_FORWARDING
GatewayPorts no
PermitTunnel no
LogLevel VERBOSE
RequiredRSASize 2048
DebianBanner no
EOF
	# Where the system has one policy for all its cryptography (Amazon Linux, RHEL, FIPS) it stands.
	[ -e /etc/crypto-policies/back-ends/opensshserver.config ] ||
		[ "$(cat /proc/sys/crypto/fips_enabled 2>/dev/null)" = 1 ] || cat <<EOF
KexAlgorithms -ecdh-*,diffie-hellman-group14-*,diffie-hellman-group-*,*-sha1
Ciphers -*-cbc*
MACs -*sha1*,*md5*,umac-64*,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512
HostKeyAlgorithms -*ecdsa-*,ssh-rsa*,ssh-dss*
EOF
}

# Said twice: the first value that sshd reads wins, but a Match block beats it, unless it has been
# beaten itself by a Match block that comes before.
drop_in() {
	keys='PasswordAuthentication no
KbdInteractiveAuthentication no
PermitEmptyPasswords no
PermitRootLogin no
AuthenticationMethods publickey'
	echo "$keys"
	settings | while read -r line; do
		! accepts "$line" || echo "$line"
	done
	printf 'Match all\n%s\n' "$keys"
}
