"""Controls of the network: kernel settings, listeners, the firewall and what SSH offers."""

from hardened_ec2.host.controls.types import BOTH, STRICT, Check, Control, Profile

_HAS_IPV6 = "test -e /proc/sys/net/ipv6"
_FIREWALL = "nft list table inet hardened_ec2_firewall"
# Every interface, and all and default: "all" alone does not override an interface's own "1".
_EVERY_INTERFACE = {
    "ipv4/conf/*/accept_redirects": "0",
    "ipv4/conf/*/secure_redirects": "0",
    "ipv4/conf/*/send_redirects": "0",
    "ipv4/conf/*/accept_source_route": "0",
    "ipv6/conf/*/accept_redirects": "0",
    "ipv6/conf/*/accept_source_route": "0",
}
_ONCE = {
    "net.ipv4.tcp_syncookies": "1",
    "net.ipv4.tcp_rfc1337": "1",
    "net.ipv4.icmp_echo_ignore_broadcasts": "1",
    "net.ipv4.icmp_ignore_bogus_error_responses": "1",
}
_LISTENERS = (
    "rpcbind.socket",
    "avahi-daemon.service",
    "avahi-daemon.socket",
    "cups.service",
    "cups.socket",
    "telnet.socket",
)


def _interfaces(
    key: str, expected: str, *, profile: Profile | None = None, when: str = ""
) -> Check:
    return Check(
        command=f"cat /proc/sys/net/{key} | sort -u",
        expected=expected,
        profile=profile,
        when=when,
    )


NETWORK: tuple[Control, ...] = (
    Control(
        name="sshd-moduli",
        title="Diffie-Hellman groups of at least 3071 bits",
        step="sshd_moduli",
        profiles=BOTH,
        why=(
            "Where a system-wide crypto policy keeps Diffie-Hellman group exchange enabled, a "
            "client can ask for a small group. Elsewhere sshd does not offer group exchange, and "
            "/etc/ssh/moduli stays as packaged, so that package updates never stop at a prompt "
            "about a changed file."
        ),
        references=("ssh-audit hardening guides", "dev-sec ssh-baseline"),
        verify=(
            Check(
                command="awk '!/^#/ && $5 < 3071' /etc/ssh/moduli | wc -l",
                expected="0",
                when="sshd -T | grep -q '^kexalgorithms .*group-exchange'",
            ),
        ),
    ),
    Control(
        name="login-banner",
        title="A notice before login",
        step="login_banner",
        profiles=BOTH,
        why=(
            "Where the law requires a warning before login, /etc/issue.net (SSH) and /etc/issue "
            "(serial console) show it, and reveal nothing about the system. Applied only if "
            "`banner` is set."
        ),
        references=("CIS Amazon Linux 2023 1.7", "dev-sec ssh-baseline"),
        verify=(
            Check(
                command="stat -c %a:%u:%g /etc/issue.net",
                expected="644:0:0",
                when="test -e /etc/issue.net",
            ),
            Check(
                command="stat -c %a:%u:%g /etc/issue",
                expected="644:0:0",
                when="test -e /etc/issue && test ! -L /etc/issue",
            ),
        ),
    ),
    Control(
        name="sysctl-network",
        title="ICMP redirects, source routes and spoofed senders refused",
        step="sysctl_network",
        profiles=BOTH,
        why=(
            "A neighbour must not change this server's routes. Reverse-path filtering is loose in "
            "baseline, since several interfaces are common. In strict it is strict and logged, and "
            "packets from outside that claim one of the server's own addresses are dropped. "
            "Forwarding stays as it is, for containers and NAT, and so do router advertisements, "
            "which bring the IPv6 default route, unless `ipv6` is False."
        ),
        references=(
            "CIS Amazon Linux 2023 3.3",
            "ANSSI-BP-028 R12",
            "ANSSI-BP-028 R13",
            "dev-sec linux-baseline",
        ),
        verify=(
            *(
                _interfaces(key, value)
                for key, value in _EVERY_INTERFACE.items()
                if key.startswith("ipv4")
            ),
            *(
                _interfaces(key, value, when=_HAS_IPV6)
                for key, value in _EVERY_INTERFACE.items()
                if key.startswith("ipv6")
            ),
            _interfaces("ipv4/conf/*/rp_filter", "2", profile="baseline"),
            _interfaces("ipv4/conf/*/rp_filter", "1", profile="strict"),
            _interfaces("ipv4/conf/*/accept_local", "0", profile="strict"),
            _interfaces("ipv4/conf/*/log_martians", "1", profile="strict"),
            *(Check(command=f"sysctl -n {key}", expected=value) for key, value in _ONCE.items()),
        ),
    ),
    Control(
        name="unneeded-listeners",
        title="Unneeded network services stopped and masked",
        step="unneeded_listeners",
        profiles=BOTH,
        why=(
            "A service that does not listen cannot be attacked. The portmapper, mDNS, printing, "
            "telnet and similar services are stopped and masked where they are installed, unless "
            "their port is in `open_ports` or, for the portmapper, NFS is in use. No package is "
            "removed."
        ),
        references=(
            "CIS Amazon Linux 2023 2",
            "ANSSI-BP-028 R62",
            "ANSSI-BP-028 R80",
        ),
        verify=(
            *(
                # A missing unit prints nothing, or "not-found" since systemd 253.
                Check(
                    command=f"systemctl is-enabled {unit} 2>/dev/null | grep -vx not-found",
                    expected="masked",
                    when=f"systemctl cat {unit} >/dev/null 2>&1",
                )
                for unit in _LISTENERS
            ),
            Check(
                command="ss -Hlnu 'sport = 5355' | wc -l",
                expected="0",
                when="test -e /usr/lib/systemd/systemd-resolved",
            ),
        ),
    ),
    Control(
        name="host-firewall",
        title="Inbound traffic only to declared ports",
        step="host_firewall",
        profiles=STRICT,
        why=(
            "A second barrier behind the security groups, for the day when somebody opens one. A "
            "separate nftables table drops inbound traffic to every port except sshd's and "
            "`open_ports`. It is loaded in one transaction, and again at every boot. What IP "
            "itself needs (errors, neighbour discovery, router advertisements, DHCP) stays "
            "allowed. Forwarded traffic is left to containers and NAT."
        ),
        references=("CIS Amazon Linux 2023 3.4.2", "ANSSI-BP-028 R80"),
        verify=(
            Check(
                command=f"{_FIREWALL} | grep -c 'hook input priority.*policy drop'",
                expected="1",
                when="command -v nft",
            ),
            Check(
                command="systemctl is-enabled hardened-ec2-firewall.service",
                expected="enabled",
                when="command -v nft",
            ),
        ),
    ),
    Control(
        name="imds-sessions",
        title="No instance metadata from login sessions, even through sudo",
        step="imds_sessions",
        profiles=STRICT,
        why=(
            "The default user of a cloud image can do everything through sudo, so a stolen login "
            "is a stolen role. Login sessions cannot send packets to the metadata service, "
            "whatever their uid. Services, root's timers and the users in `imds_users` still can. "
            "A root user who leaves the session with systemd-run is not stopped."
        ),
        references=("systemd.resource-control(5)", "MITRE ATT&CK T1552.005"),
        verify=(
            Check(
                command=(
                    "systemctl show user.slice -p IPAddressDeny | "
                    "grep -o -e 169.254.169.254 -e fd00:ec2::254 | sort -u | wc -l"
                ),
                expected="2",
                when="test -e /sys/fs/cgroup/cgroup.controllers",
            ),
        ),
    ),
)
