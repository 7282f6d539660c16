"""The signature of a construct that ``help()`` and editors show."""

import inspect
from typing import TypeVar

_Class = TypeVar("_Class", bound=type)


def own_signature(construct: _Class) -> _Class:
    """Show the arguments of a class's own ``__init__`` as its signature.

    jsii's metaclass has a ``__call__`` that takes anything, which ``help()`` and `inspect` would
    show instead.

    Args:
        construct: A subclass of a CDK class.

    Returns:
        The class.

    Source: PEP 362, "Function Signature Object".

    Example:
        >>> from hardened_ec2 import InstanceRole
        >>> "session_manager" in inspect.signature(InstanceRole).parameters
        True
    """
    signature = inspect.signature(construct.__init__)  # type: ignore[misc]
    _self, *parameters = signature.parameters.values()
    construct.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=parameters, return_annotation=inspect.Signature.empty
    )
    return construct
