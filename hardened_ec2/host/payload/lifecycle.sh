#!/bin/sh
# The result for an Auto Scaling group whose lifecycle hook keeps a new server out of service: only
# success is said. A server that does not say it is ended by the group at the hook's timeout.
#
# It is said at every boot that goes well, since a server out of a warm pool waits once more. A
# reboot in service finds nothing that waits. The AWS CLI has to be there, and the role's permission.

# shellcheck disable=SC2154 # the other files of the program set $RUN and $outcomes

send_signal() {
	# The user's own commands are cloud-init's business, and so is what became of them.
	if printf %s "$outcomes" | grep -q ^failed || ! grep -qs '"errors": \[\]' /run/cloud-init/result.json; then
		echo 'the hardening or cloud-init failed: the group ends this server at the timeout of its hook'
		return 1
	fi
	PATH=$PATH:/usr/local/bin
	command -v aws >/dev/null || { echo 'no AWS CLI here: the group ends this server at the timeout of its hook' && return 1; }
	# A stack for any region does not know its own at synth; cloud-init knows the host's.
	case $SIGNAL in *--region*) ;; *) SIGNAL="$SIGNAL --region $(sed -n 's/.*"region": "\(.*\)".*/\1/p;T;q' /run/cloud-init/instance-data.json)" ;; esac
	# The first time the group may not wait yet, or not know the role's permission yet.
	pauses=
	[ ! -e "$RUN/first-boot" ] || pauses='5 10 20 40 80'
	for pause in $pauses 0; do
		# shellcheck disable=SC2086 # options and their values
		said=$(timeout 60 aws autoscaling complete-lifecycle-action --lifecycle-action-result CONTINUE --instance-id "$(cat /var/lib/cloud/data/instance-id)" $SIGNAL 2>&1) && {
			rm -f "$RUN/first-boot"
			echo 'the group takes this server into service'
			return 100
		}
		sleep "$pause"
	done
	case $pauses/$said in /*'No active Lifecycle Action'*) echo 'no lifecycle hook waits' && return 101 ;; esac
	echo "$said" | tr '\n' ' '
	return 1
}
