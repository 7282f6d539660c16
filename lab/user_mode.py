"""A server whose kernel is a process of this machine: User Mode Linux.

Scanners start tens of thousands of programs. That takes an hour where a processor is emulated and
minutes here, and unlike in a container the server has kernel settings of its own. It is no EC2:
cloud-init reads its user data from a folder. And Debian's build of this kernel has no nftables
for "inet", so the host's firewall cannot be loaded, and the metadata are locked by ip rules.
"""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lab.commands import LabError, run
from lab.guest import key
from lab.image import Distribution, File, Image, Recipe, build_image

LIMITS = (
    "The servers ran under User Mode Linux, with a kernel of their own. That kernel is built "
    "without nftables' `inet`, so the host's firewall could not be loaded, and Lynis gives no "
    "points for one."
)
"""What figures from here leave out."""

_MODULES = Path("/usr/lib/uml/modules")
_SHARED = "/media/lab"
_SEED = f"{_SHARED}/seed"
_MEMORY = "1G"

_UNIT = f"""\
[Unit]
Description=What the lab wants to be run
After=cloud-final.service hardened-ec2.service
[Service]
Type=oneshot
WorkingDirectory=/root
ExecStart=/bin/sh {_SHARED}/run
ExecStopPost=systemctl --no-block poweroff
[Install]
WantedBy=cloud-init.target
"""


def runs_here() -> bool:
    """Tell whether this kernel can run here.

    It knows no registers past those of AVX-512: where the processor has AMX, it cannot put a
    program's registers back, and panics with its first one.
    """
    return "amx_tile" not in Path("/proc/cpuinfo").read_text(encoding="ascii").split()


def _bootable() -> Recipe:
    """Return what an image needs to be booted here."""
    return Recipe(
        files={
            "/etc/fstab": File(
                text="/dev/ubda / ext4 errors=remount-ro 0 1\n"
                f"none {_SHARED} hostfs x-systemd.before=cloud-init-local.service 0 0\n"
                f"none /usr/lib/modules/{_version()} hostfs ro,/modules 0 0\n"
            ),
            "/etc/cloud/cloud.cfg.d/90-lab.cfg": File(
                text="datasource_list: [NoCloud]\nlocale: C.UTF-8\nmanage_etc_hosts: true\n"
                "network: {config: disabled}\n"
            ),
            "/etc/systemd/system/lab-run.service": File(text=_UNIT),
        },
        commands=(
            f"mkdir -p {_SHARED} /usr/lib/modules/{_version()} /var/lib/cloud/seed",
            f"ln -s {_SEED} /var/lib/cloud/seed/nocloud",
            "systemctl --quiet enable lab-run.service",
        ),
    )


def run_inside(
    name: str,
    distribution: Distribution,
    recipe: Recipe,
    user_data: str,
    *,
    script: str,
    shared: Mapping[str, Path],
    seconds: float,
) -> dict[str, bytes]:
    """Boot a server, run a script on it when cloud-init and the hardening are done, switch it off.

    Args:
        name: What it is called when it fails.
        distribution: What it runs.
        recipe: What its image has.
        user_data: As cloud-init gets it.
        script: sh, run as root, in a folder of its own. What it writes into "$OUT" comes back.
        shared: Name to file that the script finds in "$IN".
        seconds: How long all of it may take.

    Returns:
        Name to content of what the script left.

    Raises:
        LabError: If the server did not switch itself off in time.
    """
    image = build_image(distribution, _bootable() + recipe)
    with tempfile.TemporaryDirectory(prefix="hardened-ec2-uml-") as scratch:
        folder = Path(scratch)
        for each in ("seed", "modules", "in", "out"):
            (folder / each).mkdir()
        (folder / "seed" / "user-data").write_text(user_data, encoding="utf-8")
        (folder / "seed" / "meta-data").write_text(
            f"instance-id: i-scanned\npublic-keys:\n  - {key('admin').public}\n", encoding="utf-8"
        )
        for file, source in shared.items():
            shutil.copy(source, folder / "in" / file)
        (folder / "run").write_text(
            f"IN={_SHARED}/in OUT={_SHARED}/out\n{script}", encoding="utf-8"
        )
        done = run(*_machine(image, folder), timeout=seconds)
        if done.returncode or not any((folder / "out").iterdir()):
            raise LabError(f"{name}: the server did not come to its end:\n{done.stdout[-5000:]}")
        return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


def _machine(image: Image, folder: Path) -> tuple[str, ...]:
    """Return the command: mounts and processes of its own, so that all of it ends with it."""
    kernel = (
        *("linux.uml", f"mem={_MEMORY}", f"ubd0={folder / 'disk.cow'},{image.disk}"),
        *("root=/dev/ubda", "rw", f"hostfs={folder}", "quiet"),
        *("con=null", "con0=null,fd:1", "console=tty0"),
    )
    return (
        *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--mount-proc"),
        *("--fork", "--kill-child", "sh", "-euc"),
        # Not as process 1: there a kernel that panics aborts for ever, for the signal is ignored.
        'mount --bind "$1" "$2"; shift 2; "$@"; exit $?',
        *("sh", str(_MODULES / _version()), str(folder / "modules"), *kernel),
    )


def _version() -> str:
    try:
        (modules,) = _MODULES.iterdir()
    except (FileNotFoundError, ValueError):
        raise LabError(
            f"no modules of User Mode Linux in {_MODULES}: apt-get install user-mode-linux"
        ) from None
    return modules.name
