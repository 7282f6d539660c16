"""Refuses imports of modules that version 0.1 had, with the import to write instead.

Version 0.2 refuses them; version 0.3 forgets them.
"""

from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

_PUBLIC: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "hardened_ec2": {
        "access_scope": ("InternetAccessScope",),
        "auto_scaling_group": ("HardenedAutoScalingGroup",),
        "ec2_attributes": ("Ec2Attributes", "PublicAccessExclusion", "VpcBlockPublicAccess"),
        "guardrails": ("AccountGuardrails", "DefaultVpc"),
        "hardening_association": ("HardeningAssociation",),
        "image": ("HardenedImage",),
        "imds": ("Imds",),
        "instance": ("HardenedInstance",),
        "instance_connect": ("InstanceConnectEndpoint",),
        "launch_template": ("HardenedLaunchTemplate",),
        "machine_image": ("HardenedMachineImage",),
        "managed_nodes": ("ManagedNodes",),
        "metadata_alarms": ("MetadataAlarms",),
        "mixins": ("HardenInstance", "HardenSecurityGroup", "HardenVolume"),
        "network": ("HardenedVpc",),
        "patch_schedule": ("PatchSchedule",),
        "retrofit": ("HardenedEc2Defaults",),
        "role": ("InstanceRole", "SessionLogs"),
        "security_group": ("LockedSecurityGroup",),
        "session_recording": ("SessionRecording",),
        "ssh": ("SshAccess",),
        "user_data": ("HardenedUserData",),
    },
    "hardened_ec2.host": {
        "control_types": ("Check", "Control", "Profile"),
        "controls": ("CONTROLS", "Check", "Control", "Profile", "control"),
    },
    "hardened_ec2.policy": {
        "judgement": ("RuleFailed", "judge"),
        "rule": ("Control", "Framework", "Rule"),
        "template": ("Template", "UnreadableTemplate"),
    },
}
"""The modules that had public names, by the package to import these names from."""


def old_import(module: str) -> str | None:
    """Return what to write instead of an import of a module of version 0.1.

    Args:
        module: Its full name, such as ``hardened_ec2.instance``.

    Returns:
        The message; None for a module that had no public names.

    Example:
        >>> old_import("hardened_ec2.instance")
        'hardened_ec2.instance has moved: write from hardened_ec2 import HardenedInstance'
    """
    package, _, name = module.rpartition(".")
    names = _PUBLIC.get(package, {}).get(name)
    if names is None:
        return None
    return f"{module} has moved: write from {package} import {', '.join(names)}"


def refusal_in(module: str) -> Callable[[str], object]:
    """Make the ``__getattr__`` of a package that has the name of a module of version 0.1.

    Args:
        module: The package's full name.

    Returns:
        A function that refuses the module's public names with an ImportError.
    """
    package, _, name = module.rpartition(".")
    names = _PUBLIC[package][name]

    def refuse(attribute: str) -> object:
        if attribute == "__all__":  # import * asks for every name in it
            return names
        if attribute in names:
            raise ImportError(old_import(module), name=module)
        raise AttributeError(f"module {module!r} has no attribute {attribute!r}")

    return refuse


class OldModules(MetaPathFinder):
    """Finder that refuses the modules of version 0.1; Python asks it after all others."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the finder protocol
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Refuse a module of version 0.1; see `importlib.abc.MetaPathFinder`."""
        message = old_import(fullname)
        if message is None:
            return None
        # A name would have Python pass over the error in "from hardened_ec2 import instance".
        raise ModuleNotFoundError(message)
