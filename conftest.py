"""What `pytest --doctest-modules hardened_ec2` needs: the names that examples take as given.

An example runs in a copy of tests/example_project, whose `cdk.out` holds one stack, Web: a server
behind a load balancer. A name that the example's own module defines keeps its meaning there.
"""

import json
import shutil
from contextlib import chdir
from pathlib import Path

import pytest

from hardened_ec2.policy import Template
from hardened_ec2.policy.judging.collection import collect
from hardened_ec2.policy.judging.verdict import verdict
from hardened_ec2.policy.resolve.deployment import Deployment
from tests.docstrings import PACKAGE, ROOT, module_name, needs_cdk


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave the modules that import the CDK to tests/synth/test_examples.py."""
    if collection_path.suffix != ".py" or not collection_path.is_relative_to(PACKAGE):
        return None
    return True if needs_cdk(module_name(collection_path)) else None


@pytest.fixture(scope="session")
def example_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of tests/example_project, in which examples run."""
    folder = tmp_path_factory.mktemp("example") / "project"
    shutil.copytree(ROOT / "tests" / "example_project", folder)
    return folder


@pytest.fixture(scope="session")
def given_names(example_project: Path) -> dict[str, object]:
    """Return the names that an example takes as given."""
    with chdir(example_project):
        collection = collect([Path("cdk.out")])
    judged = verdict(collection)
    (case,) = judged.cases
    (server,) = case.servers
    return {
        "Deployment": Deployment,
        "Path": Path,
        "Template": Template,
        "access": case.access,
        "case": case,
        "collection": collection,
        "deployment": case.deployment,
        "json": json,
        "server": server,
        "template": case.deployment.templates[0],
        "verdict": judged,
    }


@pytest.fixture
def doctest_namespace(
    request: pytest.FixtureRequest,
    example_project: Path,
    given_names: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, object]:
    """Return `given_names` less what the example's module defines itself; pytest asks for it."""
    monkeypatch.chdir(example_project)
    defined = request.node.dtest.globs
    return {name: value for name, value in given_names.items() if name not in defined}
