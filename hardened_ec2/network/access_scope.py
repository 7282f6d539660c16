"""InternetAccessScope: nothing from the internet reaches these servers, asked of AWS itself."""

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
    """A Network Access Scope that says: nothing from the internet reaches these servers.

    The policy pack reads templates; this asks Network Access Analyzer about what there is in the
    account: routes, gateways, network ACLs and security groups as they are now, whoever made them.
    Each finding of an analysis is a path from an internet gateway to one of the servers, hop by
    hop. None is the proof.

    A load balancer that is to be reached from the internet is named in ``load_balancers``: paths
    through it to the servers are no findings, and every other path still is.

    A scope does nothing until it is analysed, and an analysis costs $0.002 for each network
    interface: ``aws ec2 start-network-insights-access-scope-analysis`` with the scope's id, then
    ``aws ec2 get-network-insights-access-scope-analysis-findings`` with that of the analysis.

    Network Access Analyzer sends no packets and does not look into a server: what listens there is
    for ``hardened-ec2 status`` to say. It does not know EC2 Instance Connect Endpoints or Session
    Manager, which need no path.

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
            scope: The construct to make it in.
            id: Its id there.
            servers: What must not be reached: instances, and for servers that come and go Auto
                Scaling groups, launch templates or security groups.
            load_balancers: The Application, Network and Gateway Load Balancers by which the servers
                may be reached. Default: none.

        Raises:
            ValueError: If there is no server, or one of them or of the load balancers is none.
        """
        if isinstance(servers, str) or not servers:
            raise ValueError(
                f"servers is {servers!r}: write at least one, such as servers=[server]; a scope "
                "without a destination would be about everything in the account"
            )
        destinations = [*dict.fromkeys(each for one in servers for each in _destinations(one))]
        through = dict.fromkeys(_arn(balancer) for balancer in load_balancers)
        super().__init__(scope, id)
        self.access_scope = _Scope(
            self,
            "Resource",
            match_paths=[_path(destinations)],
            # An entry for each: a path is excluded that goes through all that one entry names.
            exclude_paths=[_path(destinations, through=arn) for arn in through] or None,
            tags=[CfnTag(key="Name", value=self.node.path)],
        )

    @property
    def network_insights_access_scope_id(self) -> str:
        """The id of the scope, ``nis-...``, which its analyses are started by."""
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
    """Name a server as Network Access Analyzer does: by its id, or by that of its groups."""
    for attribute in ("instance_id", "security_group_id"):
        value = getattr(server, attribute, None)
        if value is not None:
            yield value
            return
    connections = getattr(server, "connections", None)
    if connections is None or hasattr(server, "load_balancer_arn"):
        raise ValueError(
            f"servers holds {server!r}: write instances, Auto Scaling groups, launch templates or "
            "security groups; load balancers by which they may be reached go into "
            "load_balancers=[...]"
        )
    for group in connections.security_groups:
        yield group.security_group_id


def _arn(balancer: object) -> str:
    arn = getattr(balancer, "load_balancer_arn", None)
    if arn is None:
        raise ValueError(
            f"load_balancers holds {balancer!r}: write an elbv2.ApplicationLoadBalancer or "
            "elbv2.NetworkLoadBalancer; a Classic Load Balancer has to be replaced by one first"
        )
    return str(arn)
