"""Kernel settings: what the kernel does with them, and what stays as it was on purpose."""

import pytest

from tests.host.machine import Machine
from tests.host.steps import apply, assert_settles, holds

pytestmark = [pytest.mark.host, pytest.mark.payload]

# A kernel as it comes, with everything that any distribution's has.
KERNEL = {
    "kernel/kptr_restrict": "0",
    "kernel/dmesg_restrict": "0",
    "kernel/perf_event_paranoid": "1",
    "kernel/randomize_va_space": "1",
    "kernel/yama/ptrace_scope": "0",
    "kernel/unprivileged_bpf_disabled": "0",
    "kernel/kexec_load_disabled": "0",
    "kernel/sysrq": "176",
    "kernel/panic_on_oops": "0",
    "kernel/panic": "0",
    "kernel/core_pattern": "|/usr/share/apport/apport -p%p -s%s",
    "kernel/modules_disabled": "0",
    "net/core/bpf_jit_harden": "0",
    "dev/tty/ldisc_autoload": "1",
    "fs/suid_dumpable": "2",
    "fs/protected_hardlinks": "0",
    "fs/protected_symlinks": "0",
    "fs/protected_fifos": "0",
    "fs/protected_regular": "0",
    "vm/mmap_min_addr": "0",
}
KERNEL_FILE = "/etc/sysctl.d/zz-hardened-ec2-kernel.conf"
NETWORK_FILE = "/etc/sysctl.d/zz-hardened-ec2-network.conf"
OPEN = "for f in {keys}; do for p in /proc/sys/net/$f; do echo {value} >$p; done; done"
SPOOFING = (
    "ipv[46]/conf/*/accept_redirects ipv4/conf/*/s*_redirects ipv[46]/conf/*/accept_source* "
    "ipv4/conf/*/accept_local"
)


def put(host: Machine, key: str, value: str) -> None:
    """Write from inside: /proc/sys/net is another directory in every network."""
    host.sh(f"echo '{value}' >/proc/sys/{key}")


def get(host: Machine, key: str) -> str:
    return host.sh(f"cat /proc/sys/{key}").strip()


@pytest.fixture
def kernel(host: Machine) -> Machine:
    host.sh(
        "mount -t tmpfs tmpfs /proc/sys/net/core; mount -t tmpfs tmpfs /sys/kernel; "
        "mkdir -p /proc/sys/dev/tty /proc/sys/kernel/yama; echo 0 >/sys/kernel/kexec_crash_size"
    )
    for key, value in KERNEL.items():
        put(host, key, value)
    return host


@pytest.fixture
def network(host: Machine) -> Machine:
    """Two interfaces, one of them named as a VLAN, that believe everything."""
    host.sh(
        "ip link add one type veth peer name one.7; ip link set one up; ip link set one.7 up; "
        + OPEN.format(keys=SPOOFING, value=1)
    )
    host.sh("for p in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$p; done")
    host.sh("cd /proc/sys/net/ipv4; echo 0 >tcp_rfc1337; echo 0 >tcp_syncookies")
    return host


@pytest.mark.parametrize("profile", ["baseline", "strict"])
def test_every_setting_of_the_kernel_holds_that_did_not(kernel: Machine, profile: str) -> None:
    before = holds(kernel, "sysctl-kernel", profile)
    assert len(before) >= 14
    assert not any(before.values()), before
    assert_settles(kernel, "sysctl-kernel", {"PROFILE": profile})
    after = holds(kernel, "sysctl-kernel", profile)
    assert after.keys() == before.keys()
    assert all(after.values()), after
    assert get(kernel, "kernel/modules_disabled") == "0"


def test_the_file_sets_what_was_set_at_once(kernel: Machine) -> None:
    apply(kernel, "sysctl-kernel", {"PROFILE": "strict"})
    told = dict(line.split(" = ") for line in kernel.read(KERNEL_FILE).splitlines())
    assert told["kernel.core_pattern"] == "|/bin/false"
    assert told["kernel.yama.ptrace_scope"] == "2"
    for key, value in told.items():
        assert get(kernel, key.replace(".", "/")) == value
    assert set(told) == {key.replace("/", ".") for key in KERNEL} - {"kernel.modules_disabled"}


def test_a_stricter_distribution_is_not_weakened(kernel: Machine) -> None:
    stricter = {"kernel/perf_event_paranoid": "4", "kernel/yama/ptrace_scope": "3"}
    for key, value in stricter.items():
        put(kernel, key, value)
    assert_settles(kernel, "sysctl-kernel")
    for key, value in stricter.items():
        assert get(kernel, key) == value
        assert f"{key.replace('/', '.')} = {value}\n" in kernel.read(KERNEL_FILE)


def test_baseline_leaves_what_is_for_strict(kernel: Machine) -> None:
    apply(kernel, "sysctl-kernel")
    for key in ("kernel/core_pattern", "kernel/panic_on_oops", "vm/mmap_min_addr"):
        assert get(kernel, key) == KERNEL[key]
        assert key.replace("/", ".") not in kernel.read(KERNEL_FILE)


def test_a_key_that_the_kernel_does_not_have_is_in_no_file(kernel: Machine) -> None:
    kernel.sh("rm -r /proc/sys/kernel/yama")
    assert_settles(kernel, "sysctl-kernel")
    assert "yama" not in kernel.read(KERNEL_FILE)


def test_a_key_that_the_kernel_refuses_is_told_and_stops_no_other(kernel: Machine) -> None:
    kernel.sh(
        "cd /proc/sys/kernel; mount --bind dmesg_restrict dmesg_restrict; "
        "mount -o remount,bind,ro dmesg_restrict"
    )
    step = apply(kernel, "sysctl-kernel")
    assert (step.outcome, step.reason) == ("failed", "the kernel refused kernel/dmesg_restrict")
    assert step.complaints == ""
    assert get(kernel, "kernel/sysrq") == "0"


def test_kexec_stays_where_memory_is_reserved_for_a_crash_kernel(kernel: Machine) -> None:
    kernel.sh("echo 268435456 >/sys/kernel/kexec_crash_size")
    assert_settles(kernel, "sysctl-kernel", {"PROFILE": "strict"})
    assert get(kernel, "kernel/kexec_load_disabled") == "0"
    assert all(holds(kernel, "sysctl-kernel", "strict").values())


@pytest.mark.parametrize("profile", ["baseline", "strict"])
def test_every_setting_of_the_network_holds(network: Machine, profile: str) -> None:
    before = holds(network, "sysctl-network", profile)
    wrong = [command for command, right in before.items() if not right]
    assert len(wrong) >= 9, before
    assert_settles(network, "sysctl-network", {"PROFILE": profile})
    after = holds(network, "sysctl-network", profile)
    assert after.keys() == before.keys()
    assert all(after.values()), after


def test_systemd_sets_the_same_at_the_next_boot(network: Machine) -> None:
    apply(network, "sysctl-network", {"PROFILE": "strict"})
    network.sh(OPEN.format(keys=SPOOFING, value=1))
    assert not all(holds(network, "sysctl-network", "strict").values())
    network.sh(f"/usr/lib/systemd/systemd-sysctl {NETWORK_FILE}")
    assert all(holds(network, "sysctl-network", "strict").values())


def test_an_interface_that_comes_later_is_no_exception(network: Machine) -> None:
    apply(network, "sysctl-network", {"PROFILE": "strict"})
    network.sh("ip link add two type veth peer name three; ip link set two up")
    assert all(holds(network, "sysctl-network", "strict").values())
    # It changes nothing that an interface comes or goes: containers do so all day.
    assert apply(network, "sysctl-network", {"PROFILE": "strict"}).outcome == "ok"


def test_forwarding_timestamps_and_router_advertisements_are_left(network: Machine) -> None:
    keys = "ipv4/ip_forward ipv6/conf/all/forwarding ipv6/conf/one/accept_ra ipv4/tcp_timestamps"
    network.sh(OPEN.format(keys=keys, value=1))
    for profile in ("baseline", "strict"):
        apply(network, "sysctl-network", {"PROFILE": profile})
        for key in keys.split():
            assert get(network, f"net/{key}") == "1", key


def test_without_ipv6_no_router_is_believed(network: Machine) -> None:
    network.sh(OPEN.format(keys="ipv6/conf/*/accept_ra ipv6/conf/*/autoconf", value=1))
    assert_settles(network, "sysctl-network", {"IPV6": "no"})
    for key in ("accept_ra", "autoconf"):
        assert network.sh(f"cat /proc/sys/net/ipv6/conf/*/{key} | sort -u") == "0\n"
