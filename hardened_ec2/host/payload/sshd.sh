#!/bin/sh
# The sshd drop-in: tried on a private copy of the configuration, installed when it is proven,
# taken back when sshd does not answer with it. sshd is reloaded where it runs, never started.

# shellcheck disable=SC2154 # report.sh sets $changed

SSH=/etc/ssh
DROP_IN=sshd_config.d/00-hardened-ec2.conf

# stage: the configuration as it is without ours, in $tmp.
stage() {
	mkdir "$tmp/sshd_config.d"
	cp $SSH/sshd_config.d/*.conf "$tmp/sshd_config.d" 2>/dev/null
	rm -f "$tmp/$DROP_IN"
	without_include | sed "/^[[:space:]]*include[[:space:]=]/Is,\($SSH/\)\?sshd_config\.d/,$tmp/sshd_config.d/,g" >"$tmp/main"
}

without_include() {
	grep -vxF "Include $SSH/$DROP_IN" $SSH/sshd_config
}

# valid CONFIGURATION
valid() {
	sshd -t -f "$1" -h "$tmp/key" 2>"$tmp/error" || { error=$(head -n 1 "$tmp/error" | tr -d '\r') && return 1; }
}

# greeting [OPTION...]: whether one comes from sshd's port on this host.
greeting() {
	port=$(sshd -T "$@" 2>/dev/null | sed -n 's/^port //p;T;q')
	timeout 5 bash -c "head -c 5 </dev/tcp/127.0.0.1/$port" 2>/dev/null | grep -q SSH-2
}

# Only what answered before has to answer now.
answers() {
	[ ! "$answered" ] || greeting || { sleep 2 && greeting; }
}

# Whichever service runs. With Ubuntu's ssh.socket there may be none yet: the next one reads the
# new text.
find_service() {
	for service in ssh.service sshd.service ''; do
		[ ! "$service" ] || ! systemctl -q is-active $service 2>/dev/null || break
	done
}

# A service that died of a reload is started again.
reload() {
	[ ! "$service" ] || systemctl reload-or-restart "$service"
}

# include yes|no: our own Include line, first in sshd_config, or gone. Nothing else changes there.
include() {
	config=$(readlink -f $SSH/sshd_config)
	{ [ "$1" = no ] || echo "Include $SSH/$DROP_IN" && without_include; } >"$tmp/include"
	cmp -s "$tmp/include" "$config" || put "$config" "$(stat -c %a "$config")" <"$tmp/include"
}

revert() {
	[ -e $SSH/$DROP_IN ] || return
	rm $SSH/$DROP_IN
	include no
	reload
}

harden_sshd() {
	has sshd || skip 'no sshd'
	tmp=$(mktemp -d "$RUN/sshd.XXXXXX") || return
	trap 'rm -rf "$tmp"' EXIT
	# At first boot there are no host keys yet, and without one sshd checks nothing, nor without
	# the directory that its service makes only later.
	ssh-keygen -q -t ecdsa -N '' -f "$tmp/key"
	valid /dev/null || case $error in Missing*) mkdir -m 755 "${error#*: }" ;; esac
	stage
	valid "$tmp/main" || fail "invalid before the hardening, left as found: $error"
	find_service
	# shellcheck disable=SC2034 # the guard reads it
	[ -d /run/cloud-init ] && [ ! -e "$FINISHED" ] && early=1 || early=
	drop_in >"$tmp/$DROP_IN"
	first=no
	# No Include line, or one that comes too late.
	if ! grep -m 1 '^[[:space:]]*[^#[:space:]]' "$tmp/main" | grep -qi "^[[:space:]]*include.*$tmp/sshd_config.d/\*"; then
		first=yes
		sed -i "1i Include $tmp/$DROP_IN" "$tmp/main"
	fi
	reason=$({ valid "$tmp/main" || echo "$error"; keys_only || echo 'passwords would be accepted'; locked_out; } | head -n 1)
	[ ! "$reason" ] || { revert; fail "not hardened: $reason"; }
	greeting -h "$tmp/key" && answered=1 || answered=
	# Without space for it what an earlier run installed stays: it still keeps passwords out.
	put $SSH/$DROP_IN 600 <"$tmp/$DROP_IN" || fail 'the drop-in cannot be written, left as found'
	if include $first; then
		[ "$changed" = 100 ] || return 0
		valid $SSH/sshd_config && reload && answers && return
	fi
	revert
	fail 'sshd did not come up with the hardening, taken back'
}
