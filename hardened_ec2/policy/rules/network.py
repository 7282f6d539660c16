"""The network around servers: default groups, subnets, network ACLs, flow logs."""

from collections.abc import Iterable, Iterator
from typing import Final

from hardened_ec2.addresses import AddressSet
from hardened_ec2.policy.facts.groups import STANDALONE_RULES, Groups
from hardened_ec2.policy.facts.ingress import TCP, Opening, read_acl_entry
from hardened_ec2.policy.facts.placement import SUBNET, VPC
from hardened_ec2.policy.facts.reach import is_world, spelled_addresses
from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.ports import port_names
from hardened_ec2.policy.resolve.scenarios import together
from hardened_ec2.policy.resolve.values import (
    ABSENT,
    Reference,
    Value,
    as_bool,
    as_int,
    describe,
    why_unknown,
)
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import (
    Control,
    Doubt,
    Fault,
    Framework,
    Outcome,
    doubtful,
    faulty,
    rule,
)
from hardened_ec2.policy.rules.subjects import Resources

_RESTRICTED: Final = "Custom::VpcRestrictDefaultSG"
_LAST_ENTRY: Final = 32767
_SHOWN: Final = 3

_NETWORKS: Final = Resources("VPCs", (VPC,))
_SUBNETS: Final = Resources("subnets", (SUBNET,))
_NETWORK_ACLS: Final = Resources("network ACL entries", ("AWS::EC2::NetworkAclEntry",))


@rule(
    id="HardenedEc2-DefaultGroup",
    severity=Severity.WARNING,
    subject=_NETWORKS,
    fact="The default security group of a VPC has no rules.",
    why=(
        "Anything created without a security group gets the default one; with rules in it, an "
        "attacker on one such server reaches all the others, and everything outside."
    ),
    fix=(
        "Remove its rules: restrict_default_security_group=True in the CDK, or a custom "
        "resource that revokes them; add no rule to it."
    ),
    references=(
        Control(Framework.SECURITY_HUB, "EC2.2"),
        Control(Framework.CIS, "5.5"),
        Control(Framework.CDK_NAG, "VPCDefaultSecurityGroupClosed"),
        Control(Framework.CHECKOV, "CKV2_AWS_12"),
        Control(Framework.TRIVY, "AWS-0173"),
        Control(Framework.KICS, "ea33fcf7"),
    ),
)
def default_group(case: Case) -> Iterator[Outcome]:
    """Report VPCs whose default group keeps its rules, and rules added to a default group."""
    groups = Groups(case.deployment)
    emptied = {
        (value.content.template, value.content.logical_id)
        for resource in case.deployment.resources(_RESTRICTED)
        for value in resource.properties.at("DefaultSecurityGroupId")
        if isinstance(value.content, Reference)
    }
    for vpc in case.deployment.resources(VPC):
        if vpc.key not in emptied:
            yield Fault(
                place=vpc.place,
                message=f"the default group of {vpc.logical_id} keeps its rules",
                when=vpc.when,
            )
    for added in case.deployment.resources(*STANDALONE_RULES):
        for key in ("GroupId", "GroupName"):
            for group in added.properties.at(key):
                if group.content is not ABSENT and Groups.is_default(groups.key(group.content)):
                    yield faulty(group, "a rule is added to the default group of a VPC")


@rule(
    id="HardenedEc2-SubnetAutoAssign",
    severity=Severity.WARNING,
    subject=_SUBNETS,
    fact="Subnets leave public addresses to an explicit decision.",
    why="Everything launched in such a subnet is on the internet without anyone having decided so.",
    fix=(
        "Leave MapPublicIpOnLaunch and AssignIpv6AddressOnCreation false, and give the one "
        "server that needs it an Elastic IP address."
    ),
    references=(
        Control(Framework.SECURITY_HUB, "EC2.15"),
        Control(Framework.NIST, "AC-4(21)"),
        Control(Framework.PCI, "1.3.1"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.11"),
        Control(Framework.CDK_NAG, "VPCSubnetAutoAssignPublicIpDisabled"),
        Control(Framework.CFN_NAG, "W33"),
        Control(Framework.CHECKOV, "CKV_AWS_130"),
        Control(Framework.TRIVY, "AWS-0164"),
        Control(Framework.KICS, "b3de4e4c"),
    ),
)
def subnet_auto_assign(case: Case) -> Iterator[Outcome]:
    """Judge IPv4 and IPv6; an IPv6 address is public only where a route leads to the internet."""
    for subnet in case.deployment.resources(SUBNET):
        for key in ("MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation"):
            for answer in subnet.properties.at(key):
                given = as_bool(answer.content)
                if given is False or answer.content is ABSENT:
                    continue
                if key.startswith("Assign") and case.placement.subnet_is_private(subnet):
                    continue
                why = why_unknown(answer.content)
                if why is not None:
                    yield doubtful(answer, f"{key} of {subnet.logical_id} is not known: {why}")
                else:
                    yield faulty(answer, f"{key} of {subnet.logical_id} is true")


@rule(
    id="HardenedEc2-FlowLog",
    severity=Severity.WARNING,
    subject=_NETWORKS,
    fact="Every VPC has a flow log of all traffic.",
    why=(
        "Without flow logs an attack leaves no trace in the network: its source, and what it "
        "sent out, cannot be reconstructed."
    ),
    fix="Write AWS::EC2::FlowLog for the VPC, with TrafficType ALL.",
    references=(
        Control(Framework.SECURITY_HUB, "EC2.6"),
        Control(Framework.NIST, "AC-4(26)"),
        Control(Framework.NIST, "AU-12a"),
        Control(Framework.PCI, "10.1"),
        Control(Framework.CIS, "3.7"),
        Control(Framework.CDK_NAG, "AwsSolutions-VPC7"),
        Control(Framework.CFN_NAG, "W60"),
        Control(Framework.CHECKOV, "CKV2_AWS_11"),
        Control(Framework.TRIVY, "AWS-0178"),
    ),
)
def flow_log(case: Case) -> Iterator[Outcome]:
    """Report VPCs without a flow log, and flow logs that record only some of the traffic."""
    logged: set[tuple[str, str]] = set()
    for log in case.deployment.resources("AWS::EC2::FlowLog"):
        for target in log.properties.at("ResourceId"):
            found = case.deployment.find(target.content)
            if found is not None:
                logged.add(found.key)
        for traffic in log.properties.at("TrafficType"):
            if isinstance(traffic.content, str) and traffic.content != "ALL":
                yield faulty(traffic, f"the flow log records {traffic.content} traffic only")
    for vpc in case.deployment.resources(VPC):
        if vpc.key not in logged:
            yield Fault(place=vpc.place, message=f"{vpc.logical_id} has no flow log", when=vpc.when)


@rule(
    id="HardenedEc2-NetworkAclOpen",
    severity=Severity.WARNING,
    subject=_NETWORK_ACLS,
    fact="Network ACLs deny the internet access to administrative ports.",
    why="When a security group is opened by mistake, the network ACL is the only barrier left.",
    fix=(
        "Deny the administrative ports to 0.0.0.0/0 and ::/0, with a lower RuleNumber than the "
        "entry that allows the rest."
    ),
    references=(
        Control(Framework.SECURITY_HUB, "EC2.21"),
        Control(Framework.CIS, "5.2"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.5"),
        Control(Framework.TRIVY, "AWS-0105"),
        Control(Framework.PROWLER, "ec2_networkacl_allow_ingress_tcp_port_22"),
        Control(Framework.PROWLER, "ec2_networkacl_allow_ingress_tcp_port_3389"),
    ),
)
def network_acl_open(case: Case) -> Iterator[Outcome]:
    """Evaluate the entries of every network ACL in order, as EC2 does."""
    acls: dict[str, list[tuple[int, bool, Opening]]] = {}
    for entry in case.deployment.resources("AWS::EC2::NetworkAclEntry"):
        numbers = [as_int(number.content) for number in entry.properties.at("RuleNumber")]
        # An entry with an unknown number counts as the last one.
        number = next((n for n in numbers if n is not None), _LAST_ENTRY)
        denies = all(action.content == "deny" for action in entry.properties.at("RuleAction"))
        for opening in _inward(entry.properties):
            if not opening.unknown:
                for acl in entry.properties.at("NetworkAclId"):
                    acls.setdefault(describe(acl.content), []).append((number, denies, opening))
            elif not denies:
                why = f"what the network ACL allows in is not known: {opening.unknown}"
                yield Doubt(place=opening.place, why=why, when=opening.when)
    for entries in acls.values():
        yield from _let_through(case, sorted(entries, key=lambda each: each[0]))


def _inward(entry: Value) -> Iterator[Opening]:
    """Read an ingress entry; an egress entry yields nothing."""
    for egress in entry.at("Egress"):
        for opening in read_acl_entry(entry) if as_bool(egress.content) is not True else ():
            when = together(opening.when, egress.when)
            if when is not None:
                yield opening.under(when)


def _let_through(case: Case, entries: Iterable[tuple[int, bool, Opening]]) -> Iterator[Fault]:
    found: dict[Opening, tuple[list[int], AddressSet]] = {}
    for port in sorted(case.settings.administrative_ports):
        allowed, denied = AddressSet(), AddressSet()
        for _, denies, opening in entries:
            if not opening.admits(TCP, port):
                continue
            if not denies:
                allowed |= opening.addresses - denied
            elif not opening.when:
                # A denial under a condition denies nothing in the other scenario.
                denied |= opening.addresses
            if is_world(allowed):
                found.setdefault(opening, ([], allowed))[0].append(port)
                break
    for opening, (ports, addresses) in found.items():
        names = port_names(ports, case.settings.administrative_ports)
        shown = f"port {names}" if len(ports) <= _SHOWN else "all administrative ports"
        yield Fault(
            place=opening.place,
            message=f"the network ACL allows {spelled_addresses(addresses)} to reach {shown}",
            when=opening.when,
        )
