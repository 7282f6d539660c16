"""Who can reach which port: the rules of security groups as sets, united before they are judged."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from hardened_ec2.addresses import AddressSet
from hardened_ec2.policy.facts.attachments import Attachment, attachments
from hardened_ec2.policy.facts.groups import (
    INGRESS_LIST,
    INGRESS_RULE,
    SECURITY_GROUP,
    GroupKey,
    Groups,
)
from hardened_ec2.policy.facts.ingress import Opening, read_group_rule
from hardened_ec2.policy.facts.reach import spelled_addresses
from hardened_ec2.policy.facts.servers import Server
from hardened_ec2.policy.resolve.deployment import Deployment
from hardened_ec2.policy.resolve.scenarios import ALWAYS, When, together
from hardened_ec2.policy.resolve.values import Reference, Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Path:
    """One way to a port of a server: who may start, and every rule on the way.

    Args:
        hops: The rules, the farthest first. The first one names addresses; each of the others lets
            in the group that the rule before it opens. The last one opens the server.
        groups: The group that each rule opens, in the same order.
        when: The conditions under which the template deploys all of them.

    Source: Amazon VPC User Guide, "Security group rules".

    Example:
        >>> direct, through_balancer = Exposure(deployment).paths(server)
        >>> str(through_balancer)
        '0.0.0.0/0 -> BalancerGroup (tcp port 443) -> Group (tcp port 8080)'
    """

    hops: tuple[Opening, ...]
    groups: tuple[GroupKey, ...]
    when: When

    @property
    def addresses(self) -> AddressSet:
        """Who may start; everyone where that is not known."""
        return self.hops[0].addresses

    @property
    def unknown(self) -> str:
        """Why it is not fully known; empty when it is."""
        return "; ".join(dict.fromkeys(hop.unknown for hop in self.hops if hop.unknown))

    @property
    def is_direct(self) -> bool:
        """Whether the senders reach the server itself, through no other group."""
        return len(self.hops) == 1

    def __str__(self) -> str:
        steps = (
            f"{name or group} ({hop.ports})"
            for (group, name), hop in zip(self.groups, self.hops, strict=True)
        )
        return " -> ".join((spelled_addresses(self.addresses), *steps))


class Exposure:
    """The security groups of a deployment and what they let in.

    Args:
        deployment: The templates.

    Source: Amazon VPC User Guide, "Security group rules": rules only permit, and all rules of all
        groups of an interface apply together.

    Ask it, from the narrowest question to the widest: `openings` of a group, `attachments` of a
    server, `of_server` for what its groups let in together, `paths` for who can reach which port of
    it by which chain of rules, `chains` for the groups on the way alone.

    Example:
        >>> exposure = Exposure(deployment)
        >>> [opening.ports for opening in exposure.of_server(server)]
        ['tcp port 22', 'tcp port 8080']
        >>> [attachment.group for attachment in exposure.attachments(server)]
        [('cdk.out/Web.template.json', 'Group')]
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._groups = Groups(deployment)
        self._openings: dict[GroupKey, tuple[Opening, ...]] = {}
        self._entrances: dict[GroupKey, tuple[Path, ...]] = {}
        self._attachments: dict[Server, tuple[Attachment, ...]] = {}

    @cached_property
    def groups(self) -> tuple[GroupKey, ...]:
        """Every group that the templates declare or add ingress to."""
        declared = (group.key for group in self._deployment.resources(SECURITY_GROUP))
        return tuple(dict.fromkeys((*declared, *self._standalone)))

    def openings(self, group: GroupKey) -> tuple[Opening, ...]:
        """List what a group lets in, by inline rules and by standalone ones.

        Args:
            group: The group.

        Returns:
            One entry for each way to read each rule; empty for a group outside the templates that
            they add nothing to.
        """
        known = self._openings.get(group)
        if known is None:
            known = self._openings[group] = tuple(self._read(group))
        return known

    def attachments(self, server: Server) -> tuple[Attachment, ...]:
        """List the groups of a server, from everywhere that can attach one.

        Args:
            server: The server.

        Returns:
            The groups, also those that are not in the templates or not known.
        """
        known = self._attachments.get(server)
        if known is None:
            known = self._attachments[server] = tuple(attachments(server, self._groups))
        return known

    def opened(self, server: Server) -> Iterator[tuple[GroupKey, Opening]]:
        """Yield what each group of a server lets in.

        Args:
            server: The server.

        Yields:
            Each opening with its group; deployed when both the rule and the attachment are.
        """
        for attachment in self.attachments(server):
            for opening in self.openings(attachment.group):
                when = together(opening.when, attachment.when)
                if when is not None:
                    yield attachment.group, opening if when == opening.when else opening.under(when)

    def of_server(self, server: Server) -> tuple[Opening, ...]:
        """List what all groups of a server let in together.

        Args:
            server: The server.

        Returns:
            The openings of all its groups, each once.
        """
        return tuple(dict.fromkeys(opening for _, opening in self.opened(server)))

    def paths(self, server: Server) -> Iterator[Path]:
        """Yield who can reach which port of a server, by which chain of rules.

        A rule that names addresses is a path by itself. Where a rule names a group, a sender that
        can reach a member of that group on any port can go on from it, if the member is taken over
        or forwards traffic (a load balancer, a proxy, a bastion): every way into that group begins
        a path.

        Args:
            server: The server.

        Yields:
            For each rule of the server's groups each way to use it, the shortest chain to each
            rule that names addresses, direct ones first within a rule. A chain of rules that are
            never deployed together is none; groups that lead in a circle are passed once.

        Example:
            >>> for path in Exposure(deployment).paths(server):
            ...     print(path)
            10.0.0.7/32 -> Group (tcp port 22)
            0.0.0.0/0 -> BalancerGroup (tcp port 443) -> Group (tcp port 8080)
        """
        seen: set[Path] = set()
        for group, opening in self.opened(server):
            for path in self._through(opening, group):
                if path not in seen:
                    seen.add(path)
                    yield path

    def chains(self, group: GroupKey) -> tuple[tuple[GroupKey, ...], ...]:
        """Follow the groups that may send to a group, and those that may send to them.

        Args:
            group: The group that is reached.

        Returns:
            For each group that leads to it, the shortest chain: the far end first, the given group
            last. Shorter chains come first; groups that lead in a circle appear once.

        Example:
            >>> chains = Exposure(deployment).chains(("cdk.out/Web.template.json", "Group"))
            >>> [[name for _, name in chain] for chain in chains]
            [['BalancerGroup', 'Group']]
        """
        found: list[tuple[GroupKey, ...]] = []
        reached = {group}
        pending: list[tuple[GroupKey, ...]] = [(group,)]
        for chain in pending:
            for opening in self.openings(chain[0]):
                if opening.peer is not None and opening.peer not in reached:
                    reached.add(opening.peer)
                    found.append((opening.peer, *chain))
                    pending.append((opening.peer, *chain))
        return tuple(found)

    def _through(self, opening: Opening, group: GroupKey) -> Iterator[Path]:
        if opening.peer is None:
            yield Path(hops=(opening,), groups=(group,), when=opening.when)
        for entrance, when in self.leading_to(opening):
            yield Path(hops=(*entrance.hops, opening), groups=(*entrance.groups, group), when=when)

    def leading_to(self, opening: Opening) -> Iterator[tuple[Path, When]]:
        """Yield every path from addresses into the group that an opening lets in.

        Args:
            opening: The opening.

        Yields:
            Each path with what it and the opening require together.
        """
        if opening.peer is not None:
            for entrance in self._entrances_of(opening.peer):
                when = together(entrance.when, opening.when)
                if when is not None:
                    yield entrance, when

    def _entrances_of(self, group: GroupKey) -> tuple[Path, ...]:
        """List every way from addresses into a group.

        Args:
            group: The group that is reached.

        Returns:
            The shortest chain from each rule that names addresses, shorter ones first.
        """
        known = self._entrances.get(group)
        if known is None:
            known = self._entrances[group] = tuple(self._walk(group))
        return known

    def _walk(self, group: GroupKey) -> Iterator[Path]:
        reached = {group}
        pending: list[Path] = [Path(hops=(), groups=(group,), when=ALWAYS)]
        for path in pending:
            # Its first group has no rule yet: each of that group's rules makes it one step longer.
            for opening in self.openings(path.groups[0]):
                when = together(opening.when, path.when)
                if when is None:
                    continue
                hops = (opening, *path.hops)
                if opening.peer is None:
                    yield Path(hops=hops, groups=path.groups, when=when)
                elif opening.peer not in reached:
                    reached.add(opening.peer)
                    pending.append(Path(hops=hops, groups=(opening.peer, *path.groups), when=when))

    @cached_property
    def _standalone(self) -> dict[GroupKey, list[Value]]:
        return self._groups.standalone_rules(INGRESS_RULE)

    def _read(self, group: GroupKey) -> Iterator[Opening]:
        resource = self._deployment.find(Reference(*group)) if group[0] else None
        if resource is not None:
            for rules in resource.properties.at(INGRESS_LIST):
                for rule in rules.entries():
                    yield from read_group_rule(rule, self._deployment, self._groups)
        for rule in self._standalone.get(group, ()):
            yield from read_group_rule(rule, self._deployment, self._groups)
