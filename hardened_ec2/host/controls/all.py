"""Every control, in the order in which a server applies them."""

from hardened_ec2.host.controls.accounts import ACCOUNTS
from hardened_ec2.host.controls.core import CORE
from hardened_ec2.host.controls.kernel import KERNEL
from hardened_ec2.host.controls.network import NETWORK
from hardened_ec2.host.controls.operations import OPERATIONS
from hardened_ec2.host.controls.types import BOTH, EVERY, STRICT, Check, Control, Profile

__all__ = ["BOTH", "CONTROLS", "EVERY", "STRICT", "Check", "Control", "Profile", "control"]

# The metadata first, it is open from the first packet on; then the ways in from outside; what
# only matters to somebody who is already inside comes last.
CONTROLS: tuple[Control, ...] = (*CORE, *NETWORK, *KERNEL, *ACCOUNTS, *OPERATIONS)
"""The controls in the order of application, the core first."""

_BY_NAME = {control.name: control for control in CONTROLS}


def control(name: str) -> Control:
    """Return the control of a name.

    Args:
        name: as in `Control.name`.

    Raises:
        ValueError: there is none of that name; the message lists those that there are.

    Source:
        `CONTROLS`.

    Example:
        >>> control("core-dumps").title
        'No core dumps'

    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise ValueError(
            f"{name!r} is no control of the host: write one of {', '.join(_BY_NAME)}"
        ) from None
