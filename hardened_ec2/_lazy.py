"""Public names that are imported when they are first used, so that a package costs what is used."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """Return the ``__getattr__`` of a package that imports each public name on first use.

    Args:
        package: The package's full name.
        modules: The module in the package that defines each name.

    Returns:
        A function that imports a name, keeps it in the package, and returns it. It refuses every
        other name with an AttributeError.

    Source: PEP 562, "Module __getattr__ and __dir__".
    """

    def load(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(f"{package}.{modules[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
