"""Load balancers in front of servers: who can reach which port of a server through each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Final, TypeAlias

from hardened_ec2.addresses import AddressSet
from hardened_ec2.policy.facts.exposure import Exposure
from hardened_ec2.policy.facts.groups import GroupKey, Groups
from hardened_ec2.policy.facts.ingress import LAST_PORT, TCP, UDP, Opening
from hardened_ec2.policy.facts.reach import united
from hardened_ec2.policy.facts.servers import AUTO_SCALING_GROUP, Server
from hardened_ec2.policy.resolve.deployment import Deployment, Resource
from hardened_ec2.policy.resolve.scenarios import ALWAYS, When, together
from hardened_ec2.policy.resolve.values import ABSENT, Place, Value, as_bool, as_int

_V2: Final = "AWS::ElasticLoadBalancingV2::"
_BALANCER: Final = f"{_V2}LoadBalancer"
_LISTENER: Final = f"{_V2}Listener"
_LISTENER_RULE: Final = f"{_V2}ListenerRule"
_TARGET_GROUP: Final = f"{_V2}TargetGroup"
_CLASSIC: Final = "AWS::ElasticLoadBalancing::LoadBalancer"

LOAD_BALANCERS: Final = (_BALANCER, _CLASSIC)
"""The types of load balancers."""

_PROTOCOLS: Final = {"UDP": (UDP,), "TCP_UDP": (TCP, UDP), "QUIC": (UDP,), "TCP_QUIC": (TCP, UDP)}

_Port: TypeAlias = tuple[int | None, When]


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """A port of an internet-facing load balancer, and the port of a server that it leads to.

    Args:
        balancer: The load balancer.
        protocol: IANA protocol number of both ports.
        listens: The port that the load balancer listens on; none where it is not known.
        first: First port of the server that it sends to.
        last: Last port of the server that it sends to.
        addresses: Who reaches the server through it: whom the groups of the load balancer let in
            and, where the server sees the sender's own address, the groups of the server too.
        openings: The rules of the server by which what the load balancer sends comes in.
        sees_sender: Whether the server sees the sender's own address, so that its rules must name
            the senders and not the load balancer.
        unknown: Why its ports are not known; then all of them. Default: empty, they are.
        when: The conditions under which the template deploys it.

    Source: Elastic Load Balancing User Guides, "Security groups" of each type; Network Load
        Balancers, "Client IP preservation".

    Example:
        >>> (door,) = LoadBalancers(deployment, Exposure(deployment)).in_front_of(server)
        >>> door.balancer.logical_id, str(door.addresses)
        ('Balancer', '0.0.0.0/0')
    """

    balancer: Resource
    protocol: int
    listens: int | None
    first: int
    last: int
    addresses: AddressSet
    openings: tuple[Opening, ...]
    sees_sender: bool
    unknown: str = ""
    when: When

    @property
    def place(self) -> Place:
        """Where findings about it stand."""
        return self.balancer.place


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lead:
    """One listener of a load balancer, with one target of it."""

    balancer: Resource
    target: tuple[str, str]
    protocols: tuple[int, ...]
    listens: int | None
    port: int | None
    keeps_sender: bool
    when: When


class LoadBalancers:
    """The internet-facing load balancers of a deployment.

    Args:
        deployment: The templates.
        exposure: Their security groups.

    Source: AWS CloudFormation Template Reference, ``AWS::ElasticLoadBalancingV2`` and
        ``AWS::ElasticLoadBalancing``.

    Example:
        >>> load_balancers = LoadBalancers(deployment, Exposure(deployment))
        >>> [(door.listens, door.first) for door in load_balancers.in_front_of(server)]
        [(443, 8080)]
    """

    def __init__(self, deployment: Deployment, exposure: Exposure) -> None:
        self._deployment = deployment
        self._exposure = exposure
        self._groups = Groups(deployment)

    def in_front_of(self, server: Server) -> Iterator[Door]:
        """Yield every way from the internet through a load balancer to a server.

        Args:
            server: The server.

        Yields:
            The ways that are open: the load balancer admits a sender on the listener's port, and a
            rule of the server admits what the load balancer sends.
        """
        if not self._leads:
            return
        keys = {server.resource.key, *(fleet.key for fleet in server.fleets)}
        keys.update(interface.key for interface in server.interfaces)
        for lead in (lead for key in sorted(keys) for lead in self._leads.get(key, ())):
            for protocol in lead.protocols:
                yield from self._doors(server, lead, protocol)

    def _doors(self, server: Server, lead: _Lead, protocol: int) -> Iterator[Door]:
        groups = self._groups_of(lead.balancer)
        senders = self._senders(lead.balancer, protocol, lead.listens)
        first, last = (0, LAST_PORT) if lead.port is None else (lead.port, lead.port)
        by_address: list[Opening] = []
        by_group: list[Opening] = []
        for opening in self._exposure.of_server(server):
            if not opening.unknown and opening.meets(protocol, first, last):
                if opening.peer in groups:
                    by_group.append(opening)
                elif opening.peer is None:
                    by_address.append(opening)
        sees_sender = lead.keeps_sender and not by_group
        if not sees_sender:
            inner = [o for o in by_address if o.addresses - o.addresses.public]
            openings, addresses = (*by_group, *inner), senders
        else:
            openings, addresses = tuple(by_address), senders & united(by_address)
        if not openings or not addresses:
            return
        # With several rules that let it in, one that is deployed with it is enough.
        possible = [w for o in openings if (w := together(lead.when, o.when)) is not None]
        when = lead.when if lead.when in possible else next(iter(possible), None)
        if when is not None:
            yield Door(
                balancer=lead.balancer,
                protocol=protocol,
                listens=lead.listens,
                first=max(first, min(o.first for o in openings)),
                last=min(last, max(o.last for o in openings)),
                addresses=addresses,
                openings=openings,
                sees_sender=sees_sender,
                unknown=_unknown(lead),
                when=when,
            )

    def _senders(self, balancer: Resource, protocol: int, port: int | None) -> AddressSet:
        """Unite everyone who can send to a port, through a load balancer in front of it too."""
        groups = self._groups_of(balancer)
        if not groups:
            # A Network Load Balancer without a security group admits everyone.
            return AddressSet.everything()
        admitting = self._admitting(groups, protocol, port)
        peers = {opening.peer for opening in admitting}
        senders = united(admitting)
        for front in self._fronts.get(balancer.key, ()):
            if peers & self._groups_of(front):
                senders |= united(self._admitting(self._groups_of(front), protocol, None))
        return senders

    def _admitting(
        self, groups: frozenset[GroupKey], protocol: int, port: int | None
    ) -> list[Opening]:
        first, last = (0, LAST_PORT) if port is None else (port, port)
        return [
            opening
            for group in groups
            for opening in self._exposure.openings(group)
            if not opening.unknown and opening.meets(protocol, first, last)
        ]

    def _groups_of(self, balancer: Resource) -> frozenset[GroupKey]:
        return frozenset(
            self._groups.key(entry.content)
            for value in balancer.properties.at("SecurityGroups")
            for entry in value.entries()
        )

    @cached_property
    def _leads(self) -> dict[tuple[str, str], list[_Lead]]:
        found: dict[tuple[str, str], list[_Lead]] = {}
        for lead in (*self._modern(), *self._classic()):
            found.setdefault(lead.target, []).append(lead)
        return found

    def _modern(self) -> Iterator[_Lead]:
        for listener, action, balancer_value in self._actions():
            balancer = self._deployment.find(balancer_value.content)
            if balancer is None or balancer.type != _BALANCER:
                continue
            if not (faces_internet(balancer) or balancer.key in self._fronts):
                continue
            for target_group in _target_groups(action):
                group = self._deployment.find(target_group.content)
                if group is None or group.type != _TARGET_GROUP:
                    continue
                for port, known in _numbers(listener.properties.at("Port")):
                    when = together(listener.when, target_group.when, known)
                    if when is not None:
                        names = _texts(listener, "Protocol")
                        yield from self._targets(balancer, group, names, port, when)

    @cached_property
    def _fronts(self) -> dict[tuple[str, str], list[Resource]]:
        """Internet-facing load balancers by the load balancer that they send to."""
        found: dict[tuple[str, str], list[Resource]] = {}
        for _, action, value in self._actions():
            front = self._deployment.find(value.content)
            if front is None or front.type != _BALANCER or not faces_internet(front):
                continue
            for target_group in _target_groups(action):
                group = self._deployment.find(target_group.content)
                for key, _, _ in self._members(group) if group is not None else ():
                    found.setdefault(key, []).append(front)
        return found

    def _actions(self) -> Iterator[tuple[Resource, Value, Value]]:
        """Yield each action with its listener and the listener's load balancer."""
        listeners = [(each, each, "DefaultActions") for each in self._of(_LISTENER)]
        for rule in self._of(_LISTENER_RULE):
            for value in rule.properties.at("ListenerArn"):
                listener = self._deployment.find(value.content)
                if listener is not None:
                    listeners.append((listener, rule, "Actions"))
        for listener, holder, key in listeners:
            for balancer in listener.properties.at("LoadBalancerArn"):
                for actions in holder.properties.at(key):
                    for action in actions.entries():
                        yield listener, action, balancer

    def _targets(
        self,
        balancer: Resource,
        group: Resource,
        protocols: frozenset[str],
        listens: int | None,
        when: When,
    ) -> Iterator[_Lead]:
        network = "network" in _texts(balancer, "Type")
        numbers = dict.fromkeys(n for name in protocols for n in _PROTOCOLS.get(name, (TCP,)))
        default = list(_numbers(group.properties.at("Port"))) or [(None, ALWAYS)]
        for key, ports, registered in self._members(group):
            for port, known in ports or default:
                joined = together(when, registered, known)
                if joined is None:
                    continue
                yield _Lead(
                    balancer=balancer,
                    target=key,
                    protocols=tuple(numbers) or (TCP,),
                    listens=listens,
                    port=port,
                    keeps_sender=network and _keeps_sender(group),
                    when=joined,
                )

    def _members(self, group: Resource) -> Iterator[tuple[tuple[str, str], list[_Port], When]]:
        for targets in group.properties.at("Targets"):
            for target in targets.entries():
                for name in target.at("Id"):
                    found = self._deployment.find(name.content)
                    if found is not None:
                        yield found.key, list(_numbers(target.at("Port"))), name.when
        for fleet, when in self._fleets_behind(group, "TargetGroupARNs"):
            yield fleet.key, [], when

    def _fleets_behind(self, target: Resource, key: str) -> Iterator[tuple[Resource, When]]:
        """Yield the Auto Scaling groups that register their servers with a target."""
        for fleet in self._of(AUTO_SCALING_GROUP):
            named = [name for value in fleet.properties.at(key) for name in value.entries()]
            for name in (*named, *_sources(fleet)):
                if self._deployment.find(name.content) is target:
                    yield fleet, name.when

    def _classic(self) -> Iterator[_Lead]:
        for balancer in self._of(_CLASSIC):
            if not faces_internet(balancer):
                continue
            targets = [
                (found.key, instance.when)
                for value in balancer.properties.at("Instances")
                for instance in value.entries()
                if (found := self._deployment.find(instance.content)) is not None
            ]
            behind = self._fleets_behind(balancer, "LoadBalancerNames")
            targets.extend((fleet.key, when) for fleet, when in behind)
            for value in balancer.properties.at("Listeners"):
                for listener in value.entries():
                    yield from _classic_leads(balancer, listener, targets)

    def _of(self, kind: str) -> Iterable[Resource]:
        return self._deployment.resources(kind)


def _classic_leads(
    balancer: Resource, listener: Value, targets: Iterable[tuple[tuple[str, str], When]]
) -> Iterator[_Lead]:
    outer = _numbers(listener.at("LoadBalancerPort"))
    inner = _numbers(listener.at("InstancePort"))
    for (listens, first), (port, second), (key, third) in product(outer, inner, targets):
        when = together(first, second, third)
        if when is not None:
            yield _Lead(
                balancer=balancer,
                target=key,
                protocols=(TCP,),
                listens=listens,
                port=port,
                keeps_sender=False,
                when=when,
            )


def _unknown(lead: _Lead) -> str:
    if lead.port is None:
        return "the port of the target is not known"
    return "the port of the listener is not known" if lead.listens is None else ""


def faces_internet(balancer: Resource) -> bool:
    """Whether a load balancer is internet-facing, which is the default of its scheme.

    Args:
        balancer: The load balancer.

    Returns:
        Whether it can be; true when its scheme is not known.
    """
    schemes = balancer.properties.at("Scheme")
    return any(scheme.content != "internal" for scheme in schemes)


def _keeps_sender(group: Resource) -> bool:
    """Whether a Network Load Balancer preserves the client's address."""
    for attributes in group.properties.at("TargetGroupAttributes"):
        for attribute in attributes.entries():
            names = {name.content for name in attribute.at("Key")}
            if "preserve_client_ip.enabled" in names:
                return any(as_bool(value.content) for value in attribute.at("Value"))
    by_address = "ip" in _texts(group, "TargetType")
    return not (by_address and _texts(group, "Protocol") <= {"TCP", "TLS"})


def _target_groups(action: Value) -> Iterator[Value]:
    yield from action.at("TargetGroupArn")
    for groups in action.at("ForwardConfig", "TargetGroups"):
        for entry in groups.entries():
            yield from entry.at("TargetGroupArn")


def _sources(fleet: Resource) -> Iterator[Value]:
    for sources in fleet.properties.at("TrafficSources"):
        for source in sources.entries():
            yield from source.at("Identifier")


def _texts(resource: Resource, key: str) -> frozenset[str]:
    return frozenset(v.content for v in resource.properties.at(key) if isinstance(v.content, str))


def _numbers(values: Iterable[Value]) -> Iterator[_Port]:
    """Yield every number that a property can be, none where it is not known."""
    for value in values:
        if value.content is not ABSENT:
            yield as_int(value.content), value.when
