"""EC2 Image Builder: build instances, volumes, tests and launch permissions of images."""

from collections.abc import Iterator
from typing import Final

from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.resolve.values import ABSENT, Value, as_bool, as_int, describe, why_unknown
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import (
    Control,
    Framework,
    Outcome,
    doubtful,
    faulty,
    rule,
)
from hardened_ec2.policy.rules.storage import judged_volumes
from hardened_ec2.policy.rules.subjects import Resources

INFRASTRUCTURE: Final = "AWS::ImageBuilder::InfrastructureConfiguration"
RECIPE: Final = "AWS::ImageBuilder::ImageRecipe"
DISTRIBUTION: Final = "AWS::ImageBuilder::DistributionConfiguration"
BUILDS: Final = ("AWS::ImageBuilder::ImagePipeline", "AWS::ImageBuilder::Image")

EVERYONE: Final = "all"
"""The group of all AWS accounts (EC2 API Reference, "LaunchPermission")."""

_IMAGE_INFRASTRUCTURES: Final = Resources(
    "Image Builder infrastructure configurations", (INFRASTRUCTURE,)
)
_IMAGE_RECIPES: Final = Resources("Image Builder recipes", (RECIPE,))
_IMAGE_DISTRIBUTIONS: Final = Resources(
    "Image Builder distribution configurations", (DISTRIBUTION,)
)
_IMAGE_BUILDS: Final = Resources("Image Builder images and pipelines", BUILDS)


@rule(
    id="HardenedEc2-ImageBuildMetadata",
    severity=Severity.ERROR,
    subject=_IMAGE_INFRASTRUCTURES,
    fact="Servers that build images require IMDSv2 tokens, with a hop limit of 1.",
    why=(
        "A build installs third-party software, and its role can change every image: one "
        "forged request from an installer or a container reads its credentials."
    ),
    fix='Write InstanceMetadataOptions with HttpTokens "required" and HttpPutResponseHopLimit 1.',
    references=(Control(Framework.SECURITY_HUB, "EC2.8"), Control(Framework.NIST, "AC-6")),
)
def image_build_metadata(case: Case) -> Iterator[Outcome]:
    """Judge InstanceMetadataOptions of every infrastructure configuration."""
    for infrastructure in case.deployment.resources(INFRASTRUCTURE):
        for options in infrastructure.properties.at("InstanceMetadataOptions"):
            why = why_unknown(options.content)
            if why is not None:
                yield doubtful(options, f"InstanceMetadataOptions is not known: {why}")
                continue
            for tokens in options.at("HttpTokens"):
                yield from _tokens(tokens)
            for hops in options.at("HttpPutResponseHopLimit"):
                yield from _hops(hops)


@rule(
    id="HardenedEc2-ImageEncryption",
    severity=Severity.ERROR,
    subject=_IMAGE_RECIPES,
    fact="An image recipe encrypts every volume, including the root volume.",
    why=(
        "Images are kept for years: an attacker who gets at an unencrypted snapshot reads the "
        "disk, and every server launched from the image starts with an unencrypted volume."
    ),
    fix=(
        "Write BlockDeviceMappings in the recipe, with Ebs.Encrypted true for the parent "
        "image's root device, /dev/xvda or /dev/sda1, and for every other volume."
    ),
    references=(
        Control(Framework.SECURITY_HUB, "EC2.3"),
        Control(Framework.NIST, "SC-28"),
        Control(Framework.CHECKOV, "CKV_AWS_200"),
    ),
)
def image_encryption(case: Case) -> Iterator[Outcome]:
    """Judge BlockDeviceMappings of every image recipe."""
    for recipe in case.deployment.resources(RECIPE):
        for mappings in recipe.properties.at("BlockDeviceMappings"):
            yield from judged_volumes(mappings)


@rule(
    id="HardenedEc2-ImagePublic",
    severity=Severity.ERROR,
    subject=_IMAGE_DISTRIBUTIONS,
    fact="Images are shared with named accounts only.",
    why=(
        "A public image is searched for secrets within hours, and shows an attacker how your "
        "servers are configured."
    ),
    fix=(
        "Omit LaunchPermissionConfiguration, or list accounts or organizations in it: UserIds, "
        "OrganizationArns, OrganizationalUnitArns."
    ),
    references=(
        Control(Framework.NIST, "AC-3"),
        Control(Framework.PROWLER, "ec2_ami_public"),
    ),
)
def image_public(case: Case) -> Iterator[Outcome]:
    """Judge the launch permissions of every distribution configuration."""
    for configuration in case.deployment.resources(DISTRIBUTION):
        for distributions in configuration.properties.at("Distributions"):
            for entry in distributions.entries():
                permissions = entry.at(
                    "AmiDistributionConfiguration", "LaunchPermissionConfiguration"
                )
                for permission in permissions:
                    yield from _launch_permission(permission)


@rule(
    id="HardenedEc2-ImageTests",
    severity=Severity.WARNING,
    subject=_IMAGE_BUILDS,
    fact="Images are tested before they are released.",
    why=(
        "An untested image can reach production with its hardening broken: only a server that "
        "starts from it shows whether services run, logins are closed and metadata is locked."
    ),
    fix="Omit ImageTestsConfiguration, or write ImageTestsEnabled true.",
    references=(Control(Framework.NIST, "SA-11"),),
)
def image_tests(case: Case) -> Iterator[Outcome]:
    """Judge ImageTestsConfiguration of pipelines and images."""
    for kind in BUILDS:
        for build in case.deployment.resources(kind):
            for enabled in build.properties.at("ImageTestsConfiguration", "ImageTestsEnabled"):
                why = why_unknown(enabled.content)
                if why is not None:
                    yield doubtful(enabled, f"ImageTestsEnabled is not known: {why}")
                elif enabled.content is not ABSENT and as_bool(enabled.content) is not True:
                    yield faulty(enabled, f"ImageTestsEnabled is {describe(enabled.content)}")


def _tokens(tokens: Value) -> Iterator[Outcome]:
    why = why_unknown(tokens.content)
    if why is not None:
        yield doubtful(tokens, f"HttpTokens is not known: {why}")
    elif tokens.content is ABSENT:
        yield faulty(tokens, "HttpTokens is not given, so a request needs no token")
    elif tokens.content != "required":
        yield faulty(
            tokens, f"HttpTokens is {describe(tokens.content)}, so a request needs no token"
        )


def _hops(hops: Value) -> Iterator[Outcome]:
    number = as_int(hops.content)
    if hops.content is ABSENT:
        # As on an instance: for images registered with IMDSv2, EC2 chooses 2.
        yield doubtful(hops, "HttpPutResponseHopLimit is not given, so the image decides: 1 or 2")
    elif number is None:
        why = why_unknown(hops.content) or f"{describe(hops.content)} is not a number"
        yield doubtful(hops, f"HttpPutResponseHopLimit is not known: {why}")
    elif number > 1:
        yield faulty(hops, f"HttpPutResponseHopLimit is {number}, at most 1 is allowed")


def _launch_permission(permission: Value) -> Iterator[Outcome]:
    why = why_unknown(permission.content)
    if why is not None:
        yield doubtful(permission, f"LaunchPermissionConfiguration is not known: {why}")
        return
    for key in ("UserGroups", "UserIds"):
        for granted in permission.at(key):
            for entry in granted.entries():
                why = why_unknown(entry.content)
                if why is not None:
                    yield doubtful(entry, f"who may launch the image is not known: {why}")
                elif str(entry.content).strip().lower() == EVERYONE:
                    yield faulty(
                        entry, f"{key} has {describe(entry.content)}, which is every AWS account"
                    )
