#!/bin/sh
# The result for CloudFormation, where the stack waits for one: success or failure, said outright, so
# that a server that is not hardened fails its stack at once and not at the timeout.
#
# cfn-signal proves by the instance's identity document that it belongs to the stack, so the role
# needs no permission. Only Amazon Linux brings it; without it the stack waits in vain, and fails.

# shellcheck disable=SC2034,SC2154 # the other files of the program set $RUN and $outcomes

send_signal() {
	# A stack waits for a new instance only; to any other boot CloudFormation would not listen.
	[ -e "$RUN/first-boot" ] || skip 'not the first boot'
	PATH=$PATH:/opt/aws/bin
	has cfn-signal || fail 'no cfn-signal here: the stack waits until its timeout'
	success=true
	because=
	! printf %s "$outcomes" | grep -q ^failed || { success=false && because=': the hardening'; }
	# The user's own commands are cloud-init's business, and so is what became of them.
	grep -qs '"errors": \[\]' /run/cloud-init/result.json || { success=false && because="$because: cloud-init"; }
	# A stack for any region does not know its own at synth; cloud-init knows the host's.
	case $SIGNAL in *--region*) ;; *) SIGNAL="$SIGNAL --region $(sed -n 's/.*"region": "\(.*\)".*/\1/p;T;q' /run/cloud-init/instance-data.json)" ;; esac
	# shellcheck disable=SC2086 # options and their values
	timeout 300 cfn-signal --success "$success" $SIGNAL >/dev/null 2>&1 || fail 'CloudFormation did not take the signal'
	rm "$RUN/first-boot"
	echo "success=$success$because"
	changed=100
}
