"""Why a strict server leaves a scanner discontent: every finding that is left, with its reason."""

from dataclasses import dataclass

from lab.lynis import Finding


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """Why something that a scanner wants is not done.

    Args:
        id: The test or the rule; "*" at its end stands for anything.
        reason: Why.
        about: A word of what it says, where a test says several things. Default: all of them.
        user_mode: Whether only a server under User Mode Linux has the finding. Default: no.
    """

    id: str
    reason: str
    about: str = ""
    user_mode: bool = False

    def covers(self, finding: Finding) -> bool:
        """Say whether a finding is the one that is meant."""
        named = (
            finding.id.startswith(self.id[:-1]) if self.id.endswith("*") else finding.id == self.id
        )
        return named and self.about in f"{finding.title} {finding.detail}"


_PACKAGE = "A package for whoever makes the image to choose; nothing of the hardening needs it."
_ROUTERS = (
    "In a VPC the default route of IPv6 comes from router advertisements, and only from the VPC's "
    "own router. ipv6=False switches them off."
)
_ARP = (
    "A VPC has no ARP between hosts: the VPC itself answers for every address. The setting would "
    "protect nothing, and break servers with a second interface."
)
_ALL_OF_SUDO = (
    "The administrator of a cloud image may run everything as root, without a password that there "
    "is none of. Who has other administrators has other rules, which are left as they are."
)
_PERF = "perf_event_paranoid is 3: who is not root has no use of it at all."

OPENSCAP: tuple[Waiver, ...] = (
    Waiver(
        id="accounts_password_set_max_life_root",
        reason=(
            "Root has no password. PAM takes its age for passed all the same, and cron runs none "
            "of root's jobs any more: tried, pam_acct_mgmt returns PAM_NEW_AUTHTOK_REQD."
        ),
    ),
    Waiver(
        id="accounts_password_pam_unix_rounds_password_auth",
        reason=(
            "It wants 11, the highest cost of yescrypt: 1 GiB of memory and seconds for every "
            "check of a password, measured. Small instances could check none, and any user could "
            "use up the memory with su."
        ),
    ),
    Waiver(
        id="accounts_passwords_pam_faillock_*",
        reason=(
            "No password gets anyone in over the network. A lock after wrong ones would let any "
            "program of a user keep that user out of sudo."
        ),
    ),
    Waiver(
        id="accounts_password_pam_unix_remember",
        reason=(
            "No password expires, so nobody has a reason to go back to an old one, and a file of "
            "old hashes is one more thing to steal."
        ),
    ),
    Waiver(
        id="partition_for_*",
        reason=(
            "How a volume is divided is decided when the image is made. User data cannot move /var "
            "of a server that runs. Options of mounts are set where they need no partition: /tmp "
            "and /dev/shm."
        ),
    ),
    Waiver(
        id="sudo_add_noexec",
        reason=(
            "What sudo starts could start nothing: no apt, no dnf, no shell script, no pager. An "
            "administrator could not administrate."
        ),
    ),
    Waiver(
        id="sudo_add_requiretty",
        reason=(
            "Ansible and every other program that logs in to administrate has no terminal. use_pty "
            "takes away the attack."
        ),
    ),
    Waiver(
        id="sudo_add_umask",
        reason=(
            "With 0077 the files of packages and of configuration that an administrator makes are "
            "unreadable for the services that need them."
        ),
    ),
    Waiver(id="sudoers_explicit_command_args", reason=_ALL_OF_SUDO),
    Waiver(id="sudoers_no_root_target", reason=_ALL_OF_SUDO),
    Waiver(
        id="no_direct_root_logins",
        reason=(
            "It wants an empty /etc/securetty, which no program of Debian 12 reads. Root has no "
            "password, and sshd does not let root in."
        ),
    ),
    Waiver(
        id="file_permission_user_init_files",
        reason=(
            "The files are those of /etc/skel, which everybody may read there too; in strict new "
            "homes are closed to others."
        ),
    ),
    *(
        Waiver(id=f"sysctl_net_ipv6_conf_{group}_{key}", reason=_ROUTERS)
        for group in ("all", "default")
        for key in (
            *("accept_ra_defrtr", "accept_ra_pinfo", "accept_ra_rtr_pref", "autoconf"),
            *("max_addresses", "router_solicitations"),
        )
    ),
    *(
        Waiver(id=f"sysctl_net_ipv4_conf_all_{key}", reason=_ARP)
        for key in ("arp_filter", "arp_ignore", "drop_gratuitous_arp")
    ),
    Waiver(
        id="sysctl_net_ipv4_conf_all_route_localnet",
        reason=(
            "0 as wanted, which is every kernel's default; the rule wants a line that says so, "
            "which would take from kube-proxy what it switches on."
        ),
    ),
    Waiver(
        id="sysctl_net_ipv4_conf_*",
        about="hared",
        reason="It is about redirects, of which none is sent and none accepted.",
    ),
    Waiver(
        id="sysctl_net_ipv4_ip_local_port_range",
        reason="Which ports the server's own connections start from protects nothing.",
    ),
    Waiver(
        id="sysctl_net_ipv4_ip_forward",
        reason="Containers, NAT and VPNs forward. Whether a server does is its owner's to say.",
    ),
    Waiver(id="sysctl_kernel_perf_cpu_time_max_percent", reason=_PERF),
    Waiver(id="sysctl_kernel_perf_event_max_sample_rate", reason=_PERF),
    Waiver(
        id="sysctl_kernel_pid_max",
        reason="Fewer process numbers come round sooner, which helps who waits for one.",
    ),
    Waiver(
        id="postfix_client_configure_mail_alias",
        reason="There is no mail on the server, so no mail of root's to forward.",
    ),
    Waiver(
        id="sshd_disable_root_login",
        reason=(
            "A mistake of the rule's, which reads /etc/ssh/sshd_config only. The drop-in that it "
            "includes first says no, and sshd -T too: control sshd."
        ),
    ),
    *(
        Waiver(id=key, reason="Stricter than the rule's value, which it takes for wrong.")
        for key in ("sysctl_kernel_perf_event_paranoid", "sysctl_kernel_yama_ptrace_scope")
    ),
    Waiver(
        id="sysctl_fs_protected_fifos",
        reason=(
            "2 as wanted, in the kernel and in our file. The rule also reads a file of Debian's "
            "own that says 1, and that ours comes after."
        ),
    ),
    Waiver(
        id="sysctl_net_core_bpf_jit_harden",
        reason=(
            "The kernel of this lab has no compiler for BPF, and no such setting; 2 is asserted on "
            "the emulated machine. Control sysctl-kernel."
        ),
        user_mode=True,
    ),
    Waiver(
        id="sysctl_vm_mmap_min_addr",
        reason=(
            "The kernel has 65536 by itself, and no file says so: the hardening raises what is "
            "lower, and writes down what it raised. Control sysctl-kernel."
        ),
    ),
    Waiver(
        id="aide_build_database",
        reason=(
            "There is one: the rule looks for 'database=' in aide.conf, where Debian's says "
            "'database_in='."
        ),
    ),
)

LYNIS: tuple[Waiver, ...] = (
    Waiver(id="LYNIS", reason="It is Lynis as Debian 12 has it, which asks for a newer Lynis."),
    *(
        Waiver(id=test, reason=_PACKAGE)
        for test in ("DEB-0810", "DEB-0811", "PKGS-7394", "PKGS-7398", "TOOL-5002")
    ),
    Waiver(
        id="DEB-0831",
        reason=_PACKAGE + " needrestart also brings an assembler along, which Lynis regrets.",
    ),
    Waiver(
        id="DEB-0880",
        reason=(
            "There is no password to guess. sshd itself slows down who tries (MaxStartups, "
            "PerSourceMaxStartups), and fail2ban dies on a Debian 12 without log files."
        ),
    ),
    Waiver(
        id="BOOT-5264",
        reason=(
            "Units of the distribution's packages: sandboxing them is the packages' work, and each "
            "may need what is taken away."
        ),
    ),
    Waiver(
        id="AUTH-9230",
        reason="It is about SHA-512. Passwords are hashed with yescrypt, which has other costs.",
    ),
    Waiver(
        id="AUTH-9284",
        reason="The locked accounts are those of Debian's packages, and have no shell.",
    ),
    Waiver(
        id="AUTH-9286",
        reason=(
            "An age in login.defs is given to users who log in by key as well, and takes the login "
            "from them when it has passed: control password-ageing."
        ),
    ),
    Waiver(
        id="FILE-6310",
        reason="How a volume is divided is decided when the image is made.",
    ),
    Waiver(
        id="MACF-6208",
        reason=(
            "The kernel of this lab asks SELinux before AppArmor, so AppArmor is off and has no "
            "profiles to show. Debian's own kernel has it on."
        ),
        user_mode=True,
    ),
    Waiver(
        id="NAME-4028",
        reason="It needs a network with a domain, which this server had not.",
        user_mode=True,
    ),
    Waiver(
        id="NAME-4406", reason="cloud-init writes /etc/hosts, with what EC2 says.", user_mode=True
    ),
    Waiver(
        id="NETW-3200",
        reason=(
            "A mistake of the test's, which looks for 'install NAME /bin/true': the modules are "
            "off, with /bin/false. Control kernel-modules."
        ),
    ),
    Waiver(
        id="SSH-7408",
        about="MaxSessions",
        reason="Four sessions in a connection are what an editor over SSH needs.",
    ),
    Waiver(
        id="SSH-7408",
        about="Port",
        reason="Another port hides sshd from nobody; the security group does.",
    ),
    Waiver(
        id="LOGG-2154",
        reason=(
            "Where logs go is the account's decision: the CloudWatch agent or another takes them "
            "off the server."
        ),
    ),
    Waiver(id="ACCT-9622", reason="auditd records who started what, and as whom."),
    Waiver(id="ACCT-9626", reason="It measures load. EC2 does, with detailed monitoring."),
    Waiver(
        id="FINT-4402",
        reason="AIDE's own configuration in Debian has SHA-256 and more; the test reads one file.",
    ),
    Waiver(
        id="KRNL-6000",
        reason=(
            "Lynis wants values that are not wanted here: control sysctl-kernel and sysctl-network "
            "say which and why."
        ),
    ),
    Waiver(
        id="HRDN-7230",
        reason="A virus scanner is a choice of the account's, with a cost and holes of its own.",
    ),
)
