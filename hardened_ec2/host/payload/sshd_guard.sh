#!/bin/sh
# "sshd -t" passes a configuration that lets nobody in. This asks what it leaves out: does the
# staged configuration keep out passwords, and does it let the administrators in?

# shellcheck disable=SC2154 # $tmp is the private directory of harden_sshd

# effective USER: what sshd would do for this login, Match blocks included, into $tmp/effective.
effective() {
	sshd -T -f "$tmp/main" -h "$tmp/key" \
		-C "user=$1,host=client,addr=192.0.2.1,laddr=192.0.2.2,lport=22" >"$tmp/effective" 2>/dev/null
}

keys_only() {
	effective root && [ "$(grep -cixF "$KEYS_ONLY" "$tmp/effective")" = 6 ]
}

# fits KEYWORD NAME...: whether a pattern of that keyword fits one of the names.
fits() {
	keyword=$1
	shift
	while read -r key pattern; do
		# Who is let in from some addresses is let in; who is kept out from some is not kept out.
		[ "$key" = "$keyword" ] && for name; do
			# shellcheck disable=SC2254 # sshd's wildcards are the shell's: * and ?
			case $name in $pattern) return ;; esac
		done
	done <"$tmp/effective"
	return 1
}

# admitted USER: what AllowUsers, DenyUsers, AllowGroups, DenyGroups say. The groups of a user whom
# cloud-init has yet to make are not known.
admitted() {
	! fits denyusers "$1" || return
	sed -i '/^allowusers/s/@.*//' "$tmp/effective"
	! grep -q ^allowusers "$tmp/effective" || fits allowusers "$1" || return
	groups=$(id -Gn "$1" 2>/dev/null) || return 0
	# shellcheck disable=SC2086 # one word a group
	! fits denygroups $groups && { ! grep -q ^allowgroups "$tmp/effective" || fits allowgroups $groups; }
}

# has_key USER: a key line in a file that StrictModes lets sshd read.
has_key() {
	home=$(getent passwd "$1" | cut -d: -f6)
	# shellcheck disable=SC2013 # one word a file, as sshd splits them
	for file in $(sed -n "/^authorizedkeysfile /{s///; s,%h,$home,g; s,%u,$1,g; p}" "$tmp/effective"); do
		case $file in /*) ;; *) file=$home/$file ;; esac
		grep -qs '^[[:space:]]*[^#[:space:]]' "$file" &&
			[ -z "$(find -L "$home" "${file%/*}" "$file" -maxdepth 0 -perm /022)" ] && return
	done
	return 1
}

# Ways in without a key on this disk: EC2 Instance Connect, another key command, Session Manager.
keyless_way() {
	id ec2-instance-connect >/dev/null 2>&1 || grep -qE '^authorizedkeyscommand /' "$tmp/effective" ||
		has amazon-ssm-agent || [ -e /etc/systemd/system/snap.amazon-ssm-agent.amazon-ssm-agent.service ]
}

# members GROUP: who is in it, also by /etc/passwd's own field.
members() {
	getent group "$1" | sed 's/.*://; s/,/ /g'
	getent passwd | awk -F: -v gid="$(getent group "$1" | cut -d: -f3)" '$4 == gid { print $1 }'
}

# Prints who is locked out. Users that are named must all get in. If none is, one of the named
# groups' members must, or else of all the users of the host, unless there is nothing to lose: no
# account has a password.
# While cloud-init is at work users and keys are yet to come, and only what forbids counts.
locked_out() {
	inside=
	for user in ${ADMIN_USERS:-$(
		for group in $ADMIN_GROUPS; do
			members "$group"
		done
		[ "$ADMIN_GROUPS" ] || awk '$1 == "default_user:" { d = 1 } d && $1 == "name:" { print $2; exit }' /etc/cloud/cloud.cfg 2>/dev/null
		[ "$ADMIN_GROUPS" ] || getent passwd | awk -F: '$3 >= 1000 && $3 < 65534 { print $1 }'
	)}; do
		effective "$user"
		if admitted "$user" && { [ "$early" ] || has_key "$user" || keyless_way; }; then
			inside=1
		elif [ "$ADMIN_USERS" ]; then
			echo "$user could not log in by key"
		fi
	done
	[ "$ADMIN_USERS$inside" ] || { [ "$early" ] && [ "$ADMIN_GROUPS" ]; } || ! grep -q '^[^:]*:\$' /etc/shadow || keyless_way ||
		echo 'nobody could log in by key'
}
