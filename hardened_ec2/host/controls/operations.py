"""Controls of what a server needs over its life: logs, time, updates, an audit trail."""

from hardened_ec2.host.controls.types import BOTH, STRICT, Check, Control

_AUDITD = "command -v auditctl"
_AUDITD_SETTINGS = {
    "max_log_file_action": "rotate",
    "space_left_action": "syslog",
    "admin_space_left_action": "suspend",
    "disk_full_action": "suspend",
    "disk_error_action": "suspend",
}

OPERATIONS: tuple[Control, ...] = (
    Control(
        name="persistent-journal",
        title="A journal that survives a reboot, with a limit",
        step="persistent_journal",
        profiles=BOTH,
        why=(
            "After a break-in the reboot must not take the traces with it; current distributions "
            "have no other log. A limit keeps it from filling the disk."
        ),
        references=("CIS Amazon Linux 2023 5.1.2", "ANSSI-BP-028 R71"),
        verify=(
            Check(
                command=(
                    "systemd-analyze cat-config systemd/journald.conf | "
                    "sed -n 's/^Storage=//p' | tail -n 1"
                ),
                expected="persistent",
            ),
            Check(
                command="ls -d /var/log/journal/*/ | wc -l | grep -c '[1-9]'",
                expected="1",
            ),
        ),
    ),
    Control(
        name="time-source",
        title="Time from Amazon's own source",
        step="time_source",
        profiles=BOTH,
        why=(
            "Certificates, tokens and logs rest on the time. EC2 serves it on a link-local address "
            "that needs no way to the internet and that nobody on it can forge."
        ),
        references=("CIS Amazon Linux 2023 2.1", 'EC2 User Guide, "Amazon Time Sync Service"'),
        verify=(
            Check(
                command="grep -rqsF 169.254.169.123 /etc/chrony* /run/chrony* && echo yes",
                expected="yes",
                when="command -v chronyd",
            ),
            Check(
                command=(
                    "systemd-analyze cat-config systemd/timesyncd.conf | "
                    "sed -n 's/^NTP=//p' | grep -cw 169.254.169.123"
                ),
                expected="1",
                when="! command -v chronyd && test -e /usr/lib/systemd/systemd-timesyncd",
            ),
        ),
    ),
    Control(
        name="security-updates",
        title="Security updates by themselves, reboots never",
        step="security_updates",
        profiles=BOTH,
        why=(
            "Known holes are what is attacked. unattended-upgrades or dnf-automatic is switched on "
            "where it is installed; no package is installed for it. Amazon Linux 2023 is locked to "
            "a release: there dnf brings what that release has, and a new AMI the rest."
        ),
        references=("ANSSI-BP-028 R61", 'AL2023 User Guide, "Deterministic upgrades"'),
        verify=(
            Check(
                command="apt-config dump | grep -c '^APT::Periodic::Unattended-Upgrade \"1\"'",
                expected="1",
                when="command -v unattended-upgrade",
            ),
            Check(
                command="sed -n 's/^apply_updates *= *//p' /etc/dnf/automatic.conf",
                expected="yes",
                when="test -e /etc/dnf/automatic.conf",
            ),
        ),
    ),
    Control(
        name="audit-rules",
        title="An audit trail that never stops the server",
        step="audit_rules",
        profiles=STRICT,
        why=(
            "Who changed an account, sudo, sshd or a unit, loaded a module, called sudo, became "
            "root or was refused a file. A full disk suspends the records, never the server, and "
            "the rules stay changeable, so that a mistake in them does not need a reboot. Only "
            "where auditd is installed."
        ),
        references=("CIS Amazon Linux 2023 5.2", "ANSSI-BP-028 R73"),
        verify=(
            Check(
                command="auditctl -l | grep -c hardened-ec2-sshd",
                expected="1",
                when=_AUDITD,
            ),
            Check(
                command="auditctl -l | grep -c path=/usr/bin/sudo",
                expected="1",
                when=_AUDITD,
            ),
            *(
                Check(
                    command=f"sed -n 's/^{key} *= *//p' /etc/audit/auditd.conf",
                    expected=value,
                    when=_AUDITD,
                )
                for key, value in _AUDITD_SETTINGS.items()
            ),
        ),
    ),
)
