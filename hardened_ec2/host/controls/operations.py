"""Controls of operations: the journal, time, updates and the audit trail."""

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
        title="A journal that survives reboots, limited in size",
        step="persistent_journal",
        profiles=BOTH,
        why=(
            "A reboot after a break-in must not erase the evidence, and current distributions have "
            "no other log. The size limit keeps it from filling the disk."
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
        title="Time from the Amazon Time Sync Service",
        step="time_source",
        profiles=BOTH,
        why=(
            "Certificates, tokens and logs depend on the time. EC2 serves it on a link-local "
            "address, which needs no route to the internet and cannot be spoofed from there."
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
        title="Automatic security updates, without reboots",
        step="security_updates",
        profiles=BOTH,
        why=(
            "Attackers use known vulnerabilities. unattended-upgrades or dnf-automatic is enabled "
            "where it is installed; the hardening installs neither. Amazon Linux 2023 is locked to "
            "a release: dnf applies the updates of that release, and a new AMI brings the rest."
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
            "Records who changed an account, sudo, sshd or a unit, loaded a module, called sudo, "
            "became root or was denied a file. A full disk suspends the records, never the server, "
            "and the rules stay changeable, so that fixing a mistake takes no reboot. Applied only "
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
