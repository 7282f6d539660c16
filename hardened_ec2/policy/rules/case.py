"""The deployment that every rule judges, with its facts computed once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from hardened_ec2.policy.facts.access import Access
from hardened_ec2.policy.facts.admin_ports import AdminPorts, admin_ports
from hardened_ec2.policy.facts.exposure import Exposure
from hardened_ec2.policy.facts.load_balancers import LoadBalancers
from hardened_ec2.policy.facts.placement import Placement
from hardened_ec2.policy.facts.privileges import Grant, grants
from hardened_ec2.policy.facts.roles import Roles
from hardened_ec2.policy.facts.servers import Kind, Server, servers
from hardened_ec2.policy.resolve.deployment import Deployment, Resource
from hardened_ec2.policy.resolve.values import Place
from hardened_ec2.policy.rules.subjects import Resources, Subject
from hardened_ec2.policy.settings import Settings


@dataclass(frozen=True, eq=False)
class Case:
    """One deployment and its facts, shared by all rules.

    Args:
        deployment: The templates.
        settings: The thresholds.

    Example:
        >>> [server.resource.logical_id for server in case.servers]
        ['Server']
    """

    deployment: Deployment
    settings: Settings

    @cached_property
    def servers(self) -> tuple[Server, ...]:
        """The servers in the templates."""
        return servers(self.deployment)

    @cached_property
    def exposure(self) -> Exposure:
        """The sources that can reach each port."""
        return Exposure(self.deployment)

    @cached_property
    def admin_ports(self) -> AdminPorts:
        """The reach of administrative ports."""
        return admin_ports(
            deployment=self.deployment,
            servers=self.servers,
            exposure=self.exposure,
            settings=self.settings,
        )

    @cached_property
    def load_balancers(self) -> LoadBalancers:
        """The load balancers in front of servers."""
        return LoadBalancers(self.deployment, self.exposure)

    @cached_property
    def access(self) -> Access:
        """The ways to each server, with routes and load balancers."""
        return Access(
            self.deployment, self.servers, self.exposure, self.load_balancers, self.placement
        )

    @cached_property
    def roles(self) -> Roles:
        """The instance roles and their policies."""
        return Roles(self.deployment)

    def grants(self, role: Resource) -> tuple[Grant, ...]:
        """List the grants of a role; see `hardened_ec2.policy.facts.privileges.grants`."""
        known = self._grants.get(role.key)
        if known is None:
            known = self._grants[role.key] = grants(role, self.roles, self.deployment)
        return known

    @cached_property
    def _grants(self) -> dict[tuple[str, str], tuple[Grant, ...]]:
        return {}

    @cached_property
    def placement(self) -> Placement:
        """The subnets, routes and public addresses of servers."""
        return Placement(self.deployment)


def examined(case: Case, subject: Subject | Resources) -> tuple[Place, ...]:
    """List what a rule examines.

    Args:
        case: The deployment.
        subject: What the rule examines.

    Returns:
        The resources, each once; for `Subject.TEMPLATES` the templates.

    Example:
        >>> [place.logical_id for place in examined(case, Subject.MACHINES)]
        ['Server']
    """
    if isinstance(subject, Resources):
        return tuple(each.place for each in case.deployment.resources(*subject.types))
    return tuple(dict.fromkeys(_FINDERS[subject](case)))


def _machines(case: Case) -> Iterable[Place]:
    return [s.place for s in case.servers if s.kind is not Kind.NETWORK_INTERFACE]


def _volumes(case: Case) -> Iterable[Place]:
    alone = [volume.place for volume in case.deployment.resources("AWS::EC2::Volume")]
    return [*_machines(case), *alone]


_FINDERS: Final[dict[Subject, Callable[[Case], Iterable[Place]]]] = {
    Subject.SERVERS: lambda case: [server.place for server in case.servers],
    Subject.MACHINES: _machines,
    # Includes groups outside the templates to which the templates add rules.
    Subject.GROUPS: lambda case: [Place(*group) for group in case.exposure.groups],
    Subject.ROLES: lambda case: [role.place for role in case.roles.of_instances()],
    Subject.VOLUMES: _volumes,
    Subject.RESOURCES: lambda case: [each.place for each in case.deployment.everything()],
    Subject.TEMPLATES: lambda case: [Place(each.name, "") for each in case.deployment.templates],
}
