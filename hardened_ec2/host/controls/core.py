"""The core controls: metadata, user data and SSH. They cannot be left out."""

from hardened_ec2.host.controls.types import EVERY, Check, Control

_IMDS = ("169.254.169.254", "fd00:ec2::254")

# sshd's effective configuration for a user whom no Match block names.
_SSHD = "sshd -T -C user=nobody,host=client,addr=192.0.2.1,laddr=192.0.2.2,lport=22"
_SSHD_SETTINGS = {
    "passwordauthentication": "no",
    "kbdinteractiveauthentication": "no",
    "permitemptypasswords": "no",
    "permitrootlogin": "no",
    "authenticationmethods": "publickey",
    "hostbasedauthentication": "no",
    "ignorerhosts": "yes",
    "permituserenvironment": "no",
    "x11forwarding": "no",
    "allowagentforwarding": "no",
    "permittunnel": "no",
    "gatewayports": "no",
    "loglevel": "VERBOSE",
    "logingracetime": "30",
    "clientaliveinterval": "300",
    "tcpkeepalive": "no",
    "compression": "no",
}


def _mode(path: str, mode: str) -> Check:
    return Check(
        command=f"stat -L -c %a:%u:%g {path}", expected=f"{mode}:0:0", when=f"test -e {path}"
    )


CORE: tuple[Control, ...] = (
    Control(
        name="imds-lock",
        title="Instance metadata only for root and named users",
        step="imds_lock",
        profiles=EVERY,
        core=True,
        why=(
            "Anyone who reaches the metadata service gets the role's credentials: a web "
            "application with a server-side request forgery, or a container, is enough. Over IPv4 "
            "and IPv6, only root and the users in `imds_users` get an answer. Link-local DNS and "
            "NTP stay reachable."
        ),
        references=(
            'EC2 User Guide, "Limit access to the instance metadata service"',
            "MITRE ATT&CK T1552.005",
        ),
        verify=(
            # Connections only: a response would need a token, and `make proof` asks for those.
            *(
                Check(
                    command=(
                        "setpriv --reuid=65534 --regid=65534 --clear-groups "
                        f"timeout 3 bash -c ': <>/dev/tcp/{address}/80' 2>/dev/null || echo denied"
                    ),
                    expected="denied",
                )
                for address in _IMDS
            ),
            Check(
                command=f"timeout 3 bash -c ': <>/dev/tcp/{_IMDS[0]}/80' && echo reached",
                expected="reached",
            ),
        ),
    ),
    Control(
        name="install",
        title="The hardening installed as a command",
        step="install",
        profiles=EVERY,
        core=True,
        why=(
            "Settings drift. The server can reapply the hardening at every boot and on an "
            "administrator's command, without the network."
        ),
        references=("hardened-ec2",),
        # Without `when`: a missing file is a failure here.
        verify=(
            Check(command="stat -c %a:%u:%g /usr/local/sbin/hardened-ec2", expected="500:0:0"),
        ),
    ),
    Control(
        name="imds-units",
        title="The metadata lock kept in force",
        step="imds_units",
        profiles=EVERY,
        core=True,
        why=(
            "Other programs flush packet filters, and users are added later. systemd units set the "
            "lock before the network is up, and restore it within a minute if something removes "
            "it."
        ),
        references=('EC2 User Guide, "Limit access to the instance metadata service"',),
        verify=tuple(
            Check(command=f"systemctl is-enabled hardened-ec2{unit}", expected="enabled")
            for unit in ("-imds.service", "-imds.timer", "-imds.path", ".service")
        ),
    ),
    Control(
        name="user-data-files",
        title="User data and its copies readable only by root",
        step="user_data_files",
        profiles=EVERY,
        core=True,
        why=(
            "User data holds what a server needs to start, too often secrets, and cloud-init keeps "
            "copies of it in a dozen places. Only root can read them."
        ),
        references=('cloud-init, "Instance data", "Security"', "MITRE ATT&CK T1552.001"),
        verify=(
            _mode("/var/lib/cloud/instance/user-data.txt", "400"),
            _mode("/var/lib/cloud/instance/user-data.txt.i", "400"),
            _mode("/var/lib/cloud/instance/obj.pkl", "400"),
            _mode("/var/lib/cloud/instance/scripts", "700"),
            _mode("/var/lib/cloud/instance/boothooks", "700"),
            _mode("/run/cloud-init/instance-data-sensitive.json", "600"),
            _mode("/var/log/cloud-init-output.log", "600"),
        ),
    ),
    Control(
        name="sshd",
        title="SSH by key only, never as root, with strong cryptography",
        step="harden_sshd",
        profiles=EVERY,
        core=True,
        why=(
            "Passwords are guessed, and the first login attempts arrive minutes after launch. The "
            "sshd drop-in is tested on a copy of the configuration first: one that would lock the "
            "administrators out is not installed."
        ),
        references=(
            "CIS Amazon Linux 2023 4.2",
            "dev-sec ssh-baseline",
            "OpenSSH sshd_config(5)",
        ),
        verify=tuple(
            Check(command=f"{_SSHD} | sed -n 's/^{key} //p'", expected=value)
            for key, value in _SSHD_SETTINGS.items()
        ),
    ),
)
