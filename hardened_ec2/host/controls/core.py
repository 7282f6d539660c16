"""The core: metadata, user data, SSH. It cannot be switched off."""

from hardened_ec2.host.controls.types import EVERY, Check, Control

_IMDS = ("169.254.169.254", "fd00:ec2::254")

# sshd's own answer, for any user who is not named in a Match block.
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
        title="Instance metadata for root and named users only",
        step="imds_lock",
        profiles=EVERY,
        core=True,
        why=(
            "Whoever reaches the metadata service has the role's credentials: a web application "
            "that fetches addresses for others, or a container, is enough. Over IPv4 and IPv6, "
            "only root and the users that are named get an answer; link-local DNS and time stay "
            "open."
        ),
        references=(
            'EC2 User Guide, "Limit access to the instance metadata service"',
            "MITRE ATT&CK T1552.005",
        ),
        verify=(
            # Connections only: an answer would need a token, and is proven from outside.
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
        title="The hardening as a command on the server",
        step="install",
        profiles=EVERY,
        core=True,
        why=(
            "What was applied once decays. The server can apply it again, at every boot and at "
            "an administrator's word, without the network."
        ),
        references=("hardened-ec2",),
        # Missing is no exception here.
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
            "Packet filters are flushed by other programs, and users are added later. Units close "
            "the metadata before the network is up, and again within a minute whoever opened it."
        ),
        references=('EC2 User Guide, "Limit access to the instance metadata service"',),
        verify=tuple(
            Check(command=f"systemctl is-enabled hardened-ec2{unit}", expected="enabled")
            for unit in ("-imds.service", "-imds.timer", "-imds.path", ".service")
        ),
    ),
    Control(
        name="user-data-files",
        title="User data and its copies for root only",
        step="user_data_files",
        profiles=EVERY,
        core=True,
        why=(
            "User data holds what a server needs to start, too often secrets, and cloud-init keeps "
            "copies of it in a dozen places. Only root reads them."
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
        title="SSH by key only, never as root, with sound cryptography",
        step="harden_sshd",
        profiles=EVERY,
        core=True,
        why=(
            "Passwords are guessed, and the first login attempts come minutes after the start. "
            "sshd's drop-in is proven on a copy before it is installed: a configuration that would "
            "lock the administrators out is not."
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
