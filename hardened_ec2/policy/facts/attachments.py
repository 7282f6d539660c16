"""Security groups attached to servers, from every property and resource that can attach one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from hardened_ec2.policy.facts.groups import GroupKey, Groups
from hardened_ec2.policy.facts.servers import Kind, Server
from hardened_ec2.policy.resolve.scenarios import When
from hardened_ec2.policy.resolve.values import Place, Unknown, Value

_GROUP_LISTS: Final = {
    Kind.INSTANCE: ("SecurityGroupIds", "SecurityGroups"),
    Kind.LAUNCH_TEMPLATE: ("SecurityGroupIds", "SecurityGroups"),
    Kind.LAUNCH_CONFIGURATION: ("SecurityGroups",),
    Kind.SPOT_FLEET: ("SecurityGroups",),
    Kind.NETWORK_INTERFACE: ("GroupSet",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A group that is attached to a server.

    Args:
        group: The group.
        unknown: Why the attachment itself is not known. Default: empty, it is.
        when: The conditions under which it is attached.
        place: Where it is attached.
    """

    group: GroupKey
    unknown: str = ""
    when: When
    place: Place


def attachments(server: Server, groups: Groups) -> Iterator[Attachment]:
    """Yield the security groups of a server.

    Args:
        server: The server.
        groups: The names of the groups.

    Yields:
        Each group, also one that the templates do not declare or that is not known.
    """
    for key in _GROUP_LISTS[server.kind]:
        entries = server.entries(key)
        if server.kind is Kind.SPOT_FLEET:
            entries = tuple(name for entry in entries for name in entry.at("GroupId"))
        yield from _attached(entries, groups)
    if server.kind is not Kind.NETWORK_INTERFACE:
        for key in ("GroupSet", "Groups"):
            for listed in server.of_interfaces(key):
                yield from _attached(listed.entries(), groups)
    for interface in server.interfaces:
        for listed in interface.properties.at("GroupSet"):
            yield from _attached(listed.entries(), groups)


def _attached(entries: Iterable[Value], groups: Groups) -> Iterator[Attachment]:
    for entry in entries:
        content = entry.content
        # A parameter in a list of groups is some group; the launch template of another stack may
        # attach none.
        yield Attachment(
            group=groups.key(content),
            unknown=content.why if isinstance(content, Unknown) and not content.name else "",
            when=entry.when,
            place=entry.place,
        )
