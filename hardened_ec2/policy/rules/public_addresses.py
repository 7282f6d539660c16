"""Public addresses of servers, and the permissions of servers that have one."""

from collections.abc import Iterator

from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.resolve.scenarios import together
from hardened_ec2.policy.resolve.values import ABSENT, as_bool, why_unknown
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import (
    Control,
    Doubt,
    Fault,
    Framework,
    Outcome,
    rule,
)
from hardened_ec2.policy.rules.subjects import Subject


@rule(
    id="HardenedEc2-PublicAddress",
    severity=Severity.ERROR,
    subject=Subject.SERVERS,
    fact="Servers have private addresses only.",
    why=(
        "With a public address, every mistake in a security group, now or later, exposes the "
        "server; without one, the internet has no address to connect to."
    ),
    fix=(
        "Place the server in a private subnet with AssociatePublicIpAddress false, and put a "
        "load balancer in front, or log in through an EC2 Instance Connect Endpoint or Session "
        "Manager. Acknowledge it with a reason where the server must face the internet, such "
        "as a bastion."
    ),
    references=(
        Control(Framework.SECURITY_HUB, "EC2.9"),
        Control(Framework.SECURITY_HUB, "EC2.25"),
        Control(Framework.SECURITY_HUB, "AutoScaling.5"),
        Control(Framework.NIST, "SC-7(3)"),
        Control(Framework.PCI, "1.3.1"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.8"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.9"),
        Control(Framework.CONTROL_TOWER, "CT.AUTOSCALING.PR.5"),
        Control(Framework.CDK_NAG, "EC2InstanceNoPublicIp"),
        Control(Framework.CHECKOV, "CKV_AWS_88"),
        Control(Framework.TRIVY, "AWS-0009"),
        Control(Framework.PROWLER, "ec2_instance_public_ip"),
        Control(Framework.PROWLER, "ec2_launch_template_no_public_ip"),
    ),
)
def public_address(case: Case) -> Iterator[Outcome]:
    """Report public addresses: requested, assigned by the subnet, or Elastic IP addresses."""
    for server in case.servers:
        for value, reason in case.placement.public_addresses(server):
            why = why_unknown(value.content)
            if as_bool(value.content) is True:
                yield Fault(
                    place=value.place,
                    message=f"{server.resource.logical_id} gets a public address: {reason}",
                    when=value.when,
                )
            else:
                yield Doubt(
                    place=value.place,
                    why=f"whether {server.resource.logical_id} gets a public address is not known: "
                    f"{why or reason}",
                    when=value.when,
                )


@rule(
    id="HardenedEc2-PublicServerWithRole",
    severity=Severity.WARNING,
    subject=Subject.MACHINES,
    fact="A server with a public address has a role without permissions.",
    why=(
        "A server that faces the internet is compromised first, and its role's permissions go "
        "to the attacker."
    ),
    fix=(
        "Move the work that needs the permissions to a server in a private subnet, behind a "
        "load balancer; where it must stay, acknowledge it and say what the role may do."
    ),
    references=(Control(Framework.PROWLER, "ec2_instance_internet_facing_with_instance_profile"),),
)
def public_server_with_role(case: Case) -> Iterator[Outcome]:
    """Report servers with a public address whose role has any permission."""
    idle = {role.key for role in case.roles.of_instances() if not case.roles.may_anything(role)}
    for server in case.servers:
        public = [
            value
            for value, _ in case.placement.public_addresses(server)
            if as_bool(value.content) is True
        ]
        for profile in server.at("IamInstanceProfile"):
            role = case.roles.of_profile(profile)
            if profile.content is ABSENT or (role is not None and role.key in idle):
                continue
            ways = (together(value.when, profile.when) for value in public)
            when = next((way for way in ways if way is not None), None)
            if when is not None:
                yield Fault(
                    place=server.place,
                    message=f"{server.resource.logical_id} has a public address and a role with "
                    "permissions",
                    when=when,
                )
                break
