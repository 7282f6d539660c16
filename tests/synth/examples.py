"""The names that an example finds: of its module, imported, or a fixture that the test has."""

import ast
import builtins
from collections.abc import Mapping
from importlib import import_module

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

import hardened_ec2

IMPORTED: Mapping[str, object] = {
    **{name: getattr(hardened_ec2, name) for name in hardened_ec2.__all__},
    "Construct": Construct,
    "Duration": cdk.Duration,
    "Lazy": cdk.Lazy,
    "RemovalPolicy": cdk.RemovalPolicy,
    "cdk": cdk,
    "ec2": ec2,
    "events": events,
    "iam": iam,
    "logs": logs,
    "subscriptions": subscriptions,
}
"""What a reader takes as imported."""


def given(source: str, request: pytest.FixtureRequest, module: str = "") -> dict[str, object]:
    """Return what a source has to find; a name that is left is the fixture of that name."""
    names = {**IMPORTED, **(vars(import_module(module)) if module else {})}
    nodes = list(ast.walk(ast.parse(source)))
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    own = {node.id for node in nodes if isinstance(node, ast.Name) and _is_bound(node)}
    own |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    own |= {alias.asname or alias.name for node in nodes for alias in _imported(node)}
    for name in sorted(used - own - names.keys() - vars(builtins).keys()):
        names[name] = request.getfixturevalue(name)
    return names


def _is_bound(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def _imported(node: ast.AST) -> list[ast.alias]:
    return node.names if isinstance(node, ast.Import | ast.ImportFrom) else []
