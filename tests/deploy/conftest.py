"""One deploy for all: the reference app, by the real CLI, on the emulator."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from demo.__main__ import BASTION_STACK
from demo.assembly import Assembly, synthesize
from demo.aws_reader import read_deployment
from demo.cdk_cli import CdkCli
from demo.deployed import Deployment
from demo.emulator import run_emulator
from demo.isolation import NO_ENDPOINT, isolate
from demo.read_back import Expectation, Row, judge
from hardened_ec2.addresses import AddressSet

WHITELIST = "203.0.113.7/32"
EXPECTATION = Expectation(
    ssh_from=AddressSet.of(WHITELIST), public_stacks=frozenset({BASTION_STACK})
)


@dataclass(frozen=True, kw_only=True)
class Emulated:
    """An emulated account."""

    endpoint: str
    cli: CdkCli

    def read(self, templates: Mapping[str, Mapping[str, Any]]) -> Deployment:
        return read_deployment(boto3.Session(), self.endpoint, templates)

    def create_stack(self, name: str, template: Mapping[str, Any]) -> None:
        boto3.client("cloudformation", endpoint_url=self.endpoint).create_stack(
            StackName=name, TemplateBody=json.dumps(template)
        )


@pytest.fixture(scope="package")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


@pytest.fixture(scope="package", autouse=True)
def _isolated(folder: Path) -> Iterator[None]:
    """Whoever runs the tests may have credentials and profiles; the tests must not."""
    caller = dict(os.environ)
    isolated = isolate(caller, folder, NO_ENDPOINT)
    os.environ.clear()
    os.environ.update(isolated)
    yield
    os.environ.clear()
    os.environ.update(caller)


@pytest.fixture(scope="package")
def assembly(folder: Path) -> Assembly:
    return synthesize(CdkCli(folder), {"ssh_whitelist": WHITELIST})


@pytest.fixture(scope="package")
def account(folder: Path) -> Iterator[Emulated]:
    with run_emulator(folder / "emulator.log") as endpoint:
        yield Emulated(endpoint=endpoint, cli=CdkCli(folder, endpoint))


@pytest.fixture(scope="package")
def deployment(account: Emulated, assembly: Assembly) -> Deployment:
    account.cli.bootstrap()
    account.cli.deploy(assembly.folder)
    return account.read(assembly.templates())


@pytest.fixture(scope="package")
def rows(deployment: Deployment) -> tuple[Row, ...]:
    return judge(deployment, EXPECTATION)
