"""What the library's modules import of the CDK when they are loaded themselves."""

import ast
from collections.abc import Iterator
from pathlib import Path

import hardened_ec2

PACKAGE = Path(hardened_ec2.__file__).parent

LOADED_BY_AWS_EC2 = {"aws_ec2", "aws_iam", "aws_s3_assets"}


def test_only_these_modules_load_more_services_than_aws_ec2_does() -> None:
    """Every other service is written ``cdk.aws_kms`` and so on, which loads it on first use."""
    loaded = {
        module.relative_to(PACKAGE).as_posix(): services
        for module in sorted(PACKAGE.rglob("*.py"))
        if (services := {*_services(module)} - LOADED_BY_AWS_EC2)
    }
    assert loaded == {
        "account/custom_resources.py": {"aws_lambda"},
        "account/guardrails.py": {"aws_ssm"},
        "account/metadata_alarms.py": {
            "aws_autoscaling",
            "aws_cloudwatch",
            "aws_cloudwatch_actions",
        },
        "account/session_recording.py": {"aws_ssm"},
        "retrofit/defaults.py": {"aws_autoscaling"},
        "retrofit/injected_props.py": {"aws_autoscaling"},
        "retrofit/mixins/instance.py": {"aws_autoscaling"},
        "servers/auto_scaling_group.py": {"aws_autoscaling"},
        "servers/auto_scaling_group_checks.py": {"aws_autoscaling"},
        "servers/image_pipeline.py": {"aws_imagebuilder"},
        "upkeep/hardening_association.py": {"aws_ssm"},
        "upkeep/managed_nodes.py": {"aws_autoscaling"},
        "upkeep/patch_schedule.py": {"aws_ssm"},
    }


def test_only_the_pack_itself_loads_cdk_nag() -> None:
    """Node takes a quarter of a second and 30 MB to load its rules."""
    loading = [
        module.relative_to(PACKAGE).as_posix()
        for module in PACKAGE.rglob("*.py")
        if any(name.partition(".")[0] == "cdk_nag" for name in _imported(module))
    ]
    assert loading == ["nag/pack.py"]


def _services(module: Path) -> Iterator[str]:
    for name in _imported(module):
        package, _, service = name.partition(".")
        if package == "aws_cdk" and service.startswith(("aws_", "interfaces")):
            yield service


def _imported(module: Path) -> Iterator[str]:
    """Yield what a module imports when it is loaded, by full name."""
    for statement in ast.parse(module.read_text("utf-8")).body:
        if isinstance(statement, ast.ImportFrom):
            yield from (f"{statement.module}.{each.name}" for each in statement.names)
        elif isinstance(statement, ast.Import):
            yield from (each.name for each in statement.names)
