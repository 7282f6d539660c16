"""Placement of servers: private or public subnets, with or without a public address."""

from collections.abc import Iterable, Iterator
from functools import cached_property

from hardened_ec2.policy.facts.servers import Kind, Server, subnets_of_fleet
from hardened_ec2.policy.resolve.deployment import Deployment, Resource
from hardened_ec2.policy.resolve.scenarios import Scenario, When, holds, together
from hardened_ec2.policy.resolve.values import (
    ABSENT,
    Absent,
    Reference,
    Unknown,
    Value,
    as_bool,
    as_int,
    describe,
)

SUBNET = "AWS::EC2::Subnet"
VPC = "AWS::EC2::VPC"
_ROUTE_TABLE = "AWS::EC2::RouteTable"
_INWARD = ("GatewayId", "CarrierGatewayId")
"""Targets of a route by which the internet can come in; NAT and egress-only gateways cannot."""

_ASSOCIATE = "AssociatePublicIpAddress"
_CARRIER = "AssociateCarrierIpAddress"
"""In a Wavelength Zone: an address in a mobile network, public through its carrier gateway."""

_NOT_THE_INTERNET = frozenset({"AWS::EC2::VPNGateway", "AWS::EC2::VPCEndpoint"})


class Placement:
    """The subnets, routes and addresses of a deployment.

    Args:
        deployment: The templates.

    Source: Amazon VPC User Guide, "Subnet types": a subnet is public when its route table has a
        route to an internet gateway, for any part of the internet.

    Example:
        >>> Placement(deployment).is_private(server, None)
        True
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._tables: dict[tuple[str, str], tuple[tuple[bool | None, When], ...]] = {}

    def subnets(self, server: Server) -> tuple[Value, ...]:
        """List the subnets a server can be launched in, as values; empty when none is given."""
        found: list[Value] = []
        if server.kind is not Kind.LAUNCH_CONFIGURATION:
            found.extend(server.at("SubnetId"))
            found.extend(server.of_interfaces("SubnetId"))
        for interface in server.interfaces:
            found.extend(interface.properties.at("SubnetId"))
        for fleet in server.fleets:
            found.extend(subnets_of_fleet(fleet))
        return tuple(subnet for subnet in found if subnet.content is not ABSENT)

    def depends_on(self, server: Server) -> Iterator[When]:
        """Yield each `When` on which `is_private` depends, for `scenarios`."""
        for subnet in self.subnets(server):
            yield subnet.when
            for _, when in self._routes(subnet):
                yield when

    def is_private(self, server: Server, scenario: Scenario) -> bool | None:
        """Whether no subnet of a server has a route to the internet.

        Args:
            server: The server.
            scenario: One of `scenarios`; none for all of them at once.

        Returns:
            True when all its subnets are known to be private, false when one is public, none when
            that is not known.
        """
        kinds: set[bool | None] = set()
        for subnet in self.subnets(server):
            if holds(subnet.when, scenario):
                kinds.add(self._subnet_is_private(subnet, scenario))
        if False in kinds:
            return False
        return True if kinds == {True} else None

    def subnet_is_private(self, subnet: Resource) -> bool | None:
        """Whether a subnet has no route to the internet, in all scenarios.

        Args:
            subnet: The subnet.

        Returns:
            True when it is known to be private, false when it can be public, none when that is not
            known.
        """
        return self._subnet_is_private(Value(Reference(*subnet.key)), None)

    def public_addresses(self, server: Server) -> tuple[tuple[Value, str], ...]:
        """Return every setting and resource that gives a server a public address.

        Args:
            server: The server.

        Returns:
            The place of each, and what it is in words. The content is a Boolean or unknown.
        """
        return tuple(self._addresses(server))

    def _addresses(self, server: Server) -> Iterator[tuple[Value, str]]:
        answers = address_settings(server)
        for answer in answers:
            if _is_asked_for(answer):
                yield answer, f"{_ASSOCIATE} is {describe(answer.content)}"
        for answer in server.of_interfaces(_CARRIER):
            if _is_asked_for(answer):
                yield answer, f"{_CARRIER} is {describe(answer.content)}"
        # An interface that is attached ready-made has what it has; the subnet gives it nothing.
        if server.kind is not Kind.NETWORK_INTERFACE and (
            not answers or any(answer.content is ABSENT for answer in answers)
        ):
            yield from self._from_subnets(server)
        yield from self._ipv6(server)
        yield from self._elastic(server)

    def _ipv6(self, server: Server) -> Iterator[tuple[Value, str]]:
        """Find IPv6 addresses asked for by number or by name: each is a public one if routed."""
        holders = [*server.own, *server.entries("NetworkInterfaces")]
        for key in ("Ipv6AddressCount", "Ipv6Addresses", "Ipv6PrefixCount", "Ipv6Prefixes"):
            for asked in (value for holder in holders for value in holder.at(key)):
                given = asked.content is not ABSENT and as_int(asked.content) != 0
                if given and not isinstance(asked.content, Unknown):
                    private = self.is_private(server, None)
                    if private is not True:
                        answer = Unknown("its subnet is not known") if private is None else True
                        yield Value(answer, asked.when, asked.place), f"{key} in a public subnet"

    def _from_subnets(self, server: Server) -> Iterator[tuple[Value, str]]:
        subnets = self.subnets(server)
        if not subnets and (server.kind is Kind.INSTANCE or server.fleets):
            missing = Unknown("no subnet is given, and those of the default VPC assign addresses")
            yield Value(missing, place=server.place), "the default VPC"
        for subnet in subnets:
            resource = self._deployment.find(subnet.content)
            if resource is None or resource.type != SUBNET:
                missing = Unknown(f"subnet {describe(subnet.content)} is not in the templates")
                yield Value(missing, subnet.when, subnet.place), "its subnet"
                continue
            for key in ("MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation"):
                # Every IPv6 address is a public one: what keeps it in is the missing route.
                if key.startswith("AssignIpv6") and self._subnet_is_private(subnet, None):
                    continue
                for answer in resource.properties.at(key):
                    when = together(subnet.when, answer.when)
                    if when is not None and _is_asked_for(answer):
                        why = f"{key} of subnet {resource.logical_id} is {describe(answer.content)}"
                        yield Value(answer.content, when, subnet.place), why

    def _elastic(self, server: Server) -> Iterator[tuple[Value, str]]:
        mine = {server.resource.key, *(interface.key for interface in server.interfaces)}
        for address, target in self._elastic_targets:
            resource = self._deployment.find(target.content)
            if resource is not None and resource.key in mine:
                why = f"Elastic IP address {address.logical_id} is associated with it"
                yield Value(content=True, when=target.when, place=server.place), why

    @cached_property
    def _elastic_targets(self) -> tuple[tuple[Resource, Value], ...]:
        return tuple(
            (address, target)
            for address in self._deployment.resources("AWS::EC2::EIP", "AWS::EC2::EIPAssociation")
            for key in ("InstanceId", "NetworkInterfaceId")
            for target in address.properties.at(key)
        )

    def _subnet_is_private(self, subnet: Value, scenario: Scenario) -> bool | None:
        ways = [inward for inward, when in self._routes(subnet) if holds(when, scenario)]
        if True in ways:
            return False
        return None if None in ways else True

    def _routes(self, subnet: Value) -> tuple[tuple[bool | None, When], ...]:
        """Return for each route whether the internet can enter the subnet by it; none: unknown."""
        resource = self._deployment.find(subnet.content)
        if resource is None or resource.type != SUBNET:
            return ((None, subnet.when),)
        known = self._tables.get(resource.key)
        if known is None:
            known = self._tables[resource.key] = tuple(self._routes_of(resource))
        return known

    def _routes_of(self, subnet: Resource) -> Iterator[tuple[bool | None, When]]:
        associations = self._associations.get(subnet.key, ())
        for table in associations:
            resource = self._deployment.find(table.content)
            if resource is None or resource.type != _ROUTE_TABLE:
                yield None, table.when
                continue
            for inward, when in self._table_routes.get(resource.key, ()):
                joined = together(table.when, when)
                if joined is not None:
                    yield inward, joined
        if not associations and not self._has_own_vpc(subnet):
            # The main route table of a VPC that the templates do not make can hold any route; that
            # of one they make holds the local route only, and no template can add another.
            yield None, subnet.when

    def _has_own_vpc(self, subnet: Resource) -> bool:
        vpcs = [self._deployment.find(vpc.content) for vpc in subnet.properties.at("VpcId")]
        return all(vpc is not None and vpc.type == VPC for vpc in vpcs)

    @cached_property
    def _associations(self) -> dict[tuple[str, str], list[Value]]:
        found: dict[tuple[str, str], list[Value]] = {}
        for association in self._deployment.resources("AWS::EC2::SubnetRouteTableAssociation"):
            for subnet in association.properties.at("SubnetId"):
                resource = self._deployment.find(subnet.content)
                if resource is not None:
                    tables = association.properties.at("RouteTableId")
                    found.setdefault(resource.key, []).extend(_under(subnet.when, tables))
        return found

    @cached_property
    def _table_routes(self) -> dict[tuple[str, str], list[tuple[bool | None, When]]]:
        found: dict[tuple[str, str], list[tuple[bool | None, When]]] = {}
        for route in self._deployment.resources("AWS::EC2::Route"):
            for table in route.properties.at("RouteTableId"):
                resource = self._deployment.find(table.content)
                if resource is None:
                    continue
                for key in _INWARD:
                    for target in _under(table.when, route.properties.at(key)):
                        inward = self._is_inward(target)
                        if inward is not False:
                            found.setdefault(resource.key, []).append((inward, target.when))
        return found

    def _is_inward(self, target: Value) -> bool | None:
        content = target.content
        if isinstance(content, Absent):
            return False
        if isinstance(content, str):
            return not content.startswith(("vgw-", "vpce-", "local"))
        resource = self._deployment.find(content)
        if resource is None:
            return None
        return resource.type not in _NOT_THE_INTERNET


def address_settings(server: Server) -> tuple[Value, ...]:
    """Read ``AssociatePublicIpAddress`` as a server is launched with it.

    Args:
        server: The server.

    Returns:
        What the launch configuration or each network interface says; empty where nothing can.
    """
    if server.kind is Kind.LAUNCH_CONFIGURATION:
        return server.at(_ASSOCIATE)
    return () if server.kind is Kind.NETWORK_INTERFACE else server.of_interfaces(_ASSOCIATE)


def _is_asked_for(answer: Value) -> bool:
    return answer.content is not ABSENT and as_bool(answer.content) is not False


def _under(when: When, values: Iterable[Value]) -> Iterator[Value]:
    return (joined for value in values if (joined := value.under(when)) is not None)
