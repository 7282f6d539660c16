"""InternetAccessScope: a Network Access Scope of paths from the internet to servers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import aws_cdk as cdk
from aws_cdk import CfnTag
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from hardened_ec2.support.signature import own_signature

_Scope = ec2.CfnNetworkInsightsAccessScope

INTERNET = ("AWS::EC2::InternetGateway",)


@own_signature
class InternetAccessScope(Construct):
    """A Network Access Scope that finds every path from the internet to the given servers.

    The policy pack reads templates; Network Access Analyzer reads the account itself: all current
    routes, gateways, network ACLs and security groups, including those from outside the app. Each
    finding of an analysis is a path from an internet gateway to one of the servers, hop by hop.
    An analysis without findings proves that the internet cannot reach the servers.

    Pass internet-facing load balancers in ``load_balancers``: paths to the servers through them are
    excluded, and every other path remains a finding.

    Start an analysis with ``aws ec2 start-network-insights-access-scope-analysis`` and the scope's
    id, and read its findings with ``aws ec2
    get-network-insights-access-scope-analysis-findings`` and the analysis's id. An analysis costs
    $0.002 for each network interface.

    Network Access Analyzer sends no packets and does not examine the host; ``hardened-ec2 status``
    shows its listening ports. EC2 Instance Connect Endpoints and Session Manager need no path from
    an internet gateway and are not part of the analysis.

    Source: Amazon VPC, Network Access Analyzer guide, "Network Access Scopes"; NIST SP 800-53
        Rev. 5 AC-4(21), SC-7.

    Example::

        InternetAccessScope(self, "FromTheInternet", servers=[server, fleet])
        InternetAccessScope(self, "Bypass", servers=[fleet], load_balancers=[load_balancer])
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        servers: Sequence[ec2.IConnectable],
        load_balancers: Sequence[cdk.aws_elasticloadbalancingv2.ILoadBalancerV2] = (),
    ) -> None:
        """Create the Network Access Scope.

        Args:
            scope: The parent construct.
            id: The scope's id in it.
            servers: The destinations: instances, or, for the servers of a fleet, Auto Scaling
                groups, launch templates or security groups.
            load_balancers: The Application, Network and Gateway Load Balancers through which the
                internet can reach the servers. Default: none.

        Raises:
            ValueError: If ``servers`` is empty, or a server or load balancer is of another type.
        """
        if isinstance(servers, str) or not servers:
            raise ValueError(
                f"servers is {servers!r}: write at least one, such as servers=[server]; without a "
                "destination, a scope covers the whole account"
            )
        destinations = [*dict.fromkeys(each for one in servers for each in _destinations(one))]
        through = dict.fromkeys(_arn(balancer) for balancer in load_balancers)
        super().__init__(scope, id)
        self.access_scope = _Scope(
            self,
            "Resource",
            match_paths=[_path(destinations)],
            # One entry each: an entry excludes only paths through all of its resources.
            exclude_paths=[_path(destinations, through=arn) for arn in through] or None,
            tags=[CfnTag(key="Name", value=self.node.path)],
        )

    @property
    def network_insights_access_scope_id(self) -> str:
        """The id of the scope, ``nis-...``, with which to start an analysis."""
        return self.access_scope.attr_network_insights_access_scope_id


def _path(
    destinations: Sequence[str], *, through: str | None = None
) -> _Scope.AccessScopePathRequestProperty:
    between = None
    if through is not None:
        statement = _Scope.ResourceStatementRequestProperty(resources=[through])
        between = [_Scope.ThroughResourcesStatementRequestProperty(resource_statement=statement)]
    return _Scope.AccessScopePathRequestProperty(
        source=_Scope.PathStatementRequestProperty(
            resource_statement=_Scope.ResourceStatementRequestProperty(resource_types=[*INTERNET])
        ),
        destination=_Scope.PathStatementRequestProperty(
            resource_statement=_Scope.ResourceStatementRequestProperty(resources=destinations)
        ),
        through_resources=between,
    )


def _destinations(server: object) -> Iterator[str]:
    """Return a server as Network Access Analyzer identifies it: by its id or its groups' ids."""
    for attribute in ("instance_id", "security_group_id"):
        value = getattr(server, attribute, None)
        if value is not None:
            yield value
            return
    connections = getattr(server, "connections", None)
    if connections is None or hasattr(server, "load_balancer_arn"):
        raise ValueError(
            f"servers contains {server!r}: write instances, Auto Scaling groups, launch templates "
            "or security groups, and write load balancers in load_balancers=[...]"
        )
    for group in connections.security_groups:
        yield group.security_group_id


def _arn(balancer: object) -> str:
    arn = getattr(balancer, "load_balancer_arn", None)
    if arn is None:
        raise ValueError(
            f"load_balancers contains {balancer!r}: write an elbv2.ApplicationLoadBalancer or "
            "elbv2.NetworkLoadBalancer; replace a Classic Load Balancer with one of these first"
        )
    return str(arn)
