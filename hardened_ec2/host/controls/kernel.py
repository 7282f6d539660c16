"""Controls of the kernel: settings, modules, mounts and core dumps."""

from hardened_ec2.host.controls.types import BOTH, Check, Control, Profile

_EXACT = {
    "kernel.dmesg_restrict": "1",
    "kernel.randomize_va_space": "2",
    "kernel.sysrq": "0",
    "fs.suid_dumpable": "0",
    "fs.protected_hardlinks": "1",
    "fs.protected_symlinks": "1",
    "fs.protected_fifos": "2",
    "fs.protected_regular": "2",
}
# Some kernels do not have these.
_WHERE_KNOWN = {
    "kernel.unprivileged_bpf_disabled": "1",
    "net.core.bpf_jit_harden": "2",
    "dev.tty.ldisc_autoload": "0",
}
# Minimum values, (baseline, strict): some distributions set stricter ones.
_AT_LEAST: dict[str, tuple[int, int]] = {
    "kernel.kptr_restrict": (1, 2),
    "kernel.perf_event_paranoid": (2, 3),
    "kernel.yama.ptrace_scope": (1, 2),
}
_MODULES = (
    "cramfs",
    "freevxfs",
    "jffs2",
    "hfs",
    "hfsplus",
    "dccp",
    "rds",
    "tipc",
    "sctp",
    "usb-storage",
    "firewire-core",
)


def _known(key: str) -> str:
    return f"test -e /proc/sys/{key.replace('.', '/')}"


def _at_least(key: str, value: int, profile: Profile) -> Check:
    return Check(
        command=f'test "$(sysctl -n {key})" -ge {value} && echo yes',
        expected="yes",
        profile=profile,
        when=_known(key),
    )


def _mounted_with(path: str, option: str, profile: Profile | None = None) -> Check:
    return Check(
        command=f"findmnt -no VFS-OPTIONS -M {path} | tail -n 1 | grep -cw {option}",
        expected="1",
        profile=profile,
    )


KERNEL: tuple[Control, ...] = (
    Control(
        name="sysctl-kernel",
        title="Kernel settings against information leaks and local exploits",
        step="sysctl_kernel",
        profiles=BOTH,
        why=(
            "Local exploits are built from kernel addresses, the kernel log, tracing of other "
            "processes and unprivileged BPF. A stricter value set by the distribution stays. "
            "Strict also limits tracing to root, discards core dumps, disables kexec unless memory "
            "is reserved for a crash kernel, keeps the lowest pages of memory unmapped, where null "
            "pointers lead, and reboots on a kernel oops, so that a failed exploit gets no second "
            "try. Module loading and user namespaces stay as they are: services, containers and "
            "sandboxes need them."
        ),
        references=(
            "CIS Amazon Linux 2023 1.5.2",
            "DISA STIG AZLX-23-000200 to AZLX-23-000225",
            "ANSSI-BP-028 R9",
            "ANSSI-BP-028 R11",
            "ANSSI-BP-028 R14",
            "dev-sec linux-baseline",
        ),
        verify=(
            *(Check(command=f"sysctl -n {key}", expected=value) for key, value in _EXACT.items()),
            *(
                Check(command=f"sysctl -n {key}", expected=value, when=_known(key))
                for key, value in _WHERE_KNOWN.items()
            ),
            *(_at_least(key, values[0], "baseline") for key, values in _AT_LEAST.items()),
            *(_at_least(key, values[1], "strict") for key, values in _AT_LEAST.items()),
            Check(
                command="sysctl -n kernel.core_pattern", expected="|/bin/false", profile="strict"
            ),
            Check(command="sysctl -n kernel.panic_on_oops", expected="1", profile="strict"),
            Check(
                command='test "$(sysctl -n kernel.panic)" -ge 10 && echo yes',
                expected="yes",
                profile="strict",
            ),
            Check(
                command='test "$(sysctl -n vm.mmap_min_addr)" -ge 32768 && echo yes',
                expected="yes",
                profile="strict",
            ),
            Check(
                command="sysctl -n kernel.kexec_load_disabled",
                expected="1",
                profile="strict",
                when=(
                    f"{_known('kernel.kexec_load_disabled')} && "
                    "! grep -qs '[1-9]' /sys/kernel/kexec_crash_size"
                ),
            ),
        ),
    ),
    Control(
        name="kernel-modules",
        title="Kernel modules that EC2 servers do not use are blocked",
        step="kernel_modules",
        profiles=BOTH,
        why=(
            "An unprivileged user can make the kernel load a rare protocol by opening a socket, "
            "and rarely used code has the bugs. File systems for boot (vfat), containers (overlay) "
            "and snaps (squashfs, which strict blocks where snap is not installed) stay available."
        ),
        references=(
            "CIS Amazon Linux 2023 1.1.1",
            "dev-sec linux-baseline",
        ),
        verify=(
            *(
                # modprobe prints the module's dependencies first.
                Check(
                    command=f"modprobe -n -v {module} | tail -n 1",
                    expected="install /bin/false",
                    when="command -v modprobe",
                )
                for module in _MODULES
            ),
            Check(
                command="modprobe -n -v squashfs | tail -n 1",
                expected="install /bin/false",
                profile="strict",
                when=(
                    "command -v modprobe && ! command -v snap && "
                    "! grep -qw squashfs /proc/filesystems"
                ),
            ),
        ),
    ),
    Control(
        name="mount-options",
        title="Shared directories mounted nosuid and nodev",
        step="mount_options",
        profiles=BOTH,
        why=(
            "World-writable directories should not hold privileged programs. /dev/shm is mounted "
            "nosuid, nodev and noexec; /tmp nosuid and nodev, and in strict noexec, which breaks "
            "some installers. Existing mount options are kept, fstab and units are not edited, and "
            "a /tmp on the root disk keeps its files and its space."
        ),
        references=(
            "CIS Amazon Linux 2023 1.1.2",
            "CIS Amazon Linux 2023 1.1.8",
            "ANSSI-BP-028 R28",
        ),
        verify=(
            *(_mounted_with("/dev/shm", option) for option in ("nosuid", "nodev", "noexec")),  # noqa: S108
            *(_mounted_with("/tmp", option) for option in ("nosuid", "nodev")),  # noqa: S108
            _mounted_with("/tmp", "noexec", "strict"),  # noqa: S108
        ),
    ),
    Control(
        name="core-dumps",
        title="No core dumps",
        step="core_dumps",
        profiles=BOTH,
        why="A core dump leaves a process's secrets on disk, readable long after.",
        references=("CIS Amazon Linux 2023 1.5.3", "CIS Amazon Linux 2023 1.5.4"),
        verify=(
            Check(
                command="su -s /bin/sh nobody -c 'ulimit -Hc'",
                expected="0",
                when="grep -qsr pam_limits /etc/pam.d/su /etc/pam.d/system-auth",
            ),
            Check(
                command=(
                    "systemd-analyze cat-config systemd/coredump.conf | "
                    "sed -n 's/^Storage=//p' | tail -n 1"
                ),
                expected="none",
                when="test -e /usr/lib/systemd/systemd-coredump",
            ),
        ),
    ),
)
