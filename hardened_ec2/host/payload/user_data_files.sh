#!/bin/sh
# User data, and every copy that cloud-init keeps of it, for root only.
#
# The table becomes a tmpfiles.d(5) file, so systemd sets the same modes early at every boot;
# cloud-init writes the files again with its own modes, so this runs after it as well. Scripts stay
# executable (cloud-init runs them again at every boot) and nothing is deleted: without obj.pkl and
# sem cloud-init would take the machine for a new one.
#
# Left as they are, because users wait on them: instances/ID/boot-finished, and /var/lib/cloud/data,
# where /run/cloud-init/status.json points to. cloud-init.log keeps its owner, syslog writes to it.

# shellcheck disable=SC2034 # the other files of the program read it
FINISHED=/var/lib/cloud/instance/boot-finished

user_data_files() {
	table=/etc/tmpfiles.d/hardened-ec2.conf
	sed 's,^I,/var/lib/cloud/instances/*,; s,.*,z & root root,; /init\.log/s,root root,- -,' <<EOF | put $table 644
I/user-data* 0400
I/vendor-data* 0400
I/*cloud-config.txt 0400
I/obj.pkl 0400
I/network-config.json 0600
I/boothooks 0700
I/boothooks/* 0500
I/handlers 0700
I/data 0700
I/scripts 0700
I/scripts/* 0500
/var/lib/cloud/scripts/*/* 0500
/var/lib/cloud/seed 0700
/run/cloud-init/instance-data-sensitive.json 0600
/run/cloud-init/combined-cloud-config.json 0600
/run/cloud-init/instance-data.json 0640
/var/log/cloud-init-output.log* 0600
/var/log/cloud-init.log* 0640
/var/lib/amazon/ssm/credentials 0600
/var/lib/amazon/ssm/*/document/orchestration 0700
EOF
	while read -r _ glob mode owner _; do
		# shellcheck disable=SC2086 # a pattern
		restrict "$mode" "${owner#-}:" $glob || return
	done <$table
}
