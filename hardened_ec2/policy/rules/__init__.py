"""The policy rules, one module for each topic; every module in this folder is loaded."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from hardened_ec2.policy.rules.rule import Rule, declared

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

RULES: Final[tuple[Rule, ...]] = declared()
"""Every policy rule, in the order of reports: by severity, then by module."""
