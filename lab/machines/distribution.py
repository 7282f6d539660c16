"""The Debian releases that the lab boots, with the packages of their cloud images."""

from dataclasses import dataclass

_COMMON = (
    *("linux-image-cloud-amd64", "initramfs-tools", "systemd-sysv", "dbus", "libpam-systemd"),
    *("openssh-server", "cloud-init", "cloud-guest-utils", "gdisk", "sudo", "procps", "kmod"),
    *("iproute2", "netbase", "nftables", "curl", "ca-certificates"),
    # Controls configure these: without them a control has nothing to do.
    *("auditd", "cron", "rpcbind", "unattended-upgrades"),
)


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A Debian release with the network stack of its cloud images.

    Args:
        suite: The release's code name.
        title: The release's name in reports.
        networking: Packages that configure the network.
        networking_service: The systemd unit of those packages.
        clock: The package that sets the time.
        unwanted: Packages of priority "important" that Debian's cloud images leave out.
        additional: More packages. Default: none.
    """

    suite: str
    title: str
    networking: tuple[str, ...]
    networking_service: str
    clock: str
    unwanted: tuple[str, ...] = ()
    additional: tuple[str, ...] = ()

    @property
    def packages(self) -> tuple[str, ...]:
        """Packages installed on top of the essential and important ones."""
        return (*_COMMON, *self.networking, self.clock, *self.additional)


BOOKWORM = Distribution(
    suite="bookworm",
    title="Debian 12",
    networking=("ifupdown", "isc-dhcp-client"),
    networking_service="networking.service",
    clock="chrony",
)
TRIXIE = Distribution(
    suite="trixie",
    title="Debian 13",
    networking=("netplan.io", "systemd-resolved", "dhcpcd-base"),
    networking_service="systemd-networkd.service",
    clock="systemd-timesyncd",
    # Beside netplan, ifupdown makes cloud-init report itself as degraded.
    unwanted=("ifupdown",),
)
