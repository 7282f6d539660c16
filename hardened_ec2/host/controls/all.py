"""All controls, in the order in which a server applies them."""

from hardened_ec2.host.controls.accounts import ACCOUNTS
from hardened_ec2.host.controls.core import CORE
from hardened_ec2.host.controls.kernel import KERNEL
from hardened_ec2.host.controls.network import NETWORK
from hardened_ec2.host.controls.operations import OPERATIONS
from hardened_ec2.host.controls.types import BOTH, EVERY, STRICT, Check, Control, Profile

__all__ = ["BOTH", "CONTROLS", "EVERY", "STRICT", "Check", "Control", "Profile", "control"]

# Metadata first, because it is open from the first packet; then network access; then what only
# matters to an attacker who already has a login.
CONTROLS: tuple[Control, ...] = (*CORE, *NETWORK, *KERNEL, *ACCOUNTS, *OPERATIONS)
"""All controls, in the order in which a server applies them."""

_BY_NAME = {control.name: control for control in CONTROLS}


def control(name: str) -> Control:
    """Return the control with a name.

    Args:
        name: as in `Control.name`.

    Raises:
        ValueError: no control has this name; the message lists all names.

    Example:
        >>> control("core-dumps").title
        'No core dumps'

    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise ValueError(
            f"{name!r} is not a host control: write one of {', '.join(_BY_NAME)}"
        ) from None
