"""Controls of logins: sudo, shells, passwords, cron."""

from hardened_ec2.host.controls.types import BOTH, STRICT, Check, Control

_PASSWORD_RULES = {
    "minlen": "15",
    "minclass": "4",
    "dcredit": "-1",
    "lcredit": "-1",
    "ocredit": "-1",
    "ucredit": "-1",
}

ACCOUNTS: tuple[Control, ...] = (
    Control(
        name="sudo-pty",
        title="sudo in its own pseudo-terminal",
        step="sudo_pty",
        profiles=BOTH,
        why=(
            "Without its own pseudo-terminal, a program started by sudo can type into the shell "
            "that called it. Strict also ignores the current directory in the search path and "
            "writes a separate sudo log, where the installed sudo can. visudo checks the file "
            "before it is installed and the whole configuration after. Passwordless sudo of the "
            "default user stays: without it nobody could use sudo."
        ),
        references=("CIS Amazon Linux 2023 4.3.2", "ANSSI-BP-028 R39"),
        verify=(
            Check(
                command="grep -cx 'Defaults use_pty' /etc/sudoers.d/00-hardened-ec2",
                expected="1",
                when="command -v visudo",
            ),
            Check(
                command="grep -cx 'Defaults ignore_dot' /etc/sudoers.d/00-hardened-ec2",
                expected="1",
                profile="strict",
                when="sudo -V | grep -q '^Sudo version'",
            ),
            Check(
                command="visudo -cf /etc/sudoers >/dev/null 2>&1 && echo valid",
                expected="valid",
                when="command -v visudo",
            ),
        ),
    ),
    Control(
        name="login-umask",
        title="A umask of 027 for login shells",
        step="login_umask",
        profiles=BOTH,
        why=(
            "What somebody writes at a shell should not be readable by every service on the "
            "server. This applies to login shells only: services keep their own umask. Strict also "
            "sets it for new home directories and for pam_umask."
        ),
        references=("CIS Amazon Linux 2023 4.6", "ANSSI-BP-028 R36"),
        verify=(
            Check(command="su -s /bin/sh - nobody -c umask 2>/dev/null", expected="0027"),
            Check(
                command="sed -n 's/^UMASK[[:space:]]*//p' /etc/login.defs",
                expected="027",
                profile="strict",
                when="test -s /etc/login.defs",
            ),
        ),
    ),
    Control(
        name="idle-shells",
        title="Idle shells end after ten minutes",
        step="idle_shells",
        profiles=STRICT,
        why=(
            "An unattended session is a login without a key. bash exits after ten minutes at its "
            "prompt; a program that runs in it does not count as idle."
        ),
        references=("CIS Amazon Linux 2023 4.6", "ANSSI-BP-028 R32"),
        verify=(
            Check(
                command="bash -lc 'echo $TMOUT; TMOUT=0; echo changed' 2>/dev/null",
                expected="600",
            ),
        ),
    ),
    Control(
        name="password-rules",
        title="Long passwords, hashed the same way everywhere",
        step="password_rules",
        profiles=STRICT,
        why=(
            "sshd accepts no password, but sudo and the serial console may. Where pam_pwquality is "
            "installed, a password needs at least 15 characters of four classes, and no class "
            "makes up for length. Tools that bypass PAM hash with yescrypt if PAM does. Accounts "
            "are not locked after wrong passwords: any program of a user could keep the "
            "administrator out of sudo."
        ),
        references=("CIS Amazon Linux 2023 4.4", "ANSSI-BP-028 R31", "ANSSI-BP-028 R68"),
        verify=(
            *(
                Check(
                    command=f"sed -n 's/^{key} *= *//p' /etc/security/pwquality.conf",
                    expected=value,
                    when="test -s /etc/security/pwquality.conf",
                )
                for key, value in _PASSWORD_RULES.items()
            ),
            Check(
                command="sed -n 's/^ENCRYPT_METHOD[[:space:]]*//p' /etc/login.defs",
                expected="YESCRYPT",
                when=(
                    "grep -qs '^password.*pam_unix.*yescrypt' "
                    "/etc/pam.d/common-password /etc/pam.d/system-auth"
                ),
            ),
        ),
    ),
    Control(
        name="password-ageing",
        title="No password expiry for accounts without a password",
        step="password_ageing",
        profiles=BOTH,
        why=(
            "A password that nobody can use still expires, and blocks key logins with it after 60 "
            "or 90 days: the administrators are locked out of every server on the same day. "
            "Accounts with a password keep its ageing, and an account's own expiry date stays."
        ),
        references=("shadow(5)", "dev-sec linux-baseline"),
        verify=(
            Check(
                command=(
                    "getent passwd | awk -F: '$3 >= 1000 && $3 < 65534 { print $1 }' | "
                    'while read -r user; do getent shadow "$user"; done | '
                    'awk -F: \'$2 !~ /^\\$/ && ($5 != "" && $5 < 99999 || $7 != "")\' | wc -l'
                ),
                expected="0",
            ),
        ),
    ),
    Control(
        name="cron-permissions",
        title="cron tables and sshd's configuration readable only by root",
        step="cron_permissions",
        profiles=BOTH,
        why=(
            "What root runs and when, the secrets on those command lines, and who may log in from "
            "where are for root only. Users keep their own crontabs."
        ),
        references=(
            "CIS Amazon Linux 2023 4.2.1",
            "CIS Amazon Linux 2023 5.1",
            "dev-sec linux-baseline",
        ),
        verify=(
            Check(
                command="stat -c %a:%u:%g /etc/ssh/sshd_config",
                expected="600:0:0",
                when="test -e /etc/ssh/sshd_config",
            ),
            Check(
                command="stat -c %a:%u:%g /etc/crontab",
                expected="600:0:0",
                when="test -e /etc/crontab",
            ),
            *(
                Check(
                    command=f"stat -c %a:%u:%g /etc/{directory}",
                    expected="700:0:0",
                    when=f"test -e /etc/{directory}",
                )
                for directory in (
                    "cron.d",
                    "cron.hourly",
                    "cron.daily",
                    "cron.weekly",
                    "cron.monthly",
                    "cron.yearly",
                )
            ),
        ),
    ),
)
