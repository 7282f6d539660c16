"""The servers of a deployment, read alike from every type of resource that declares them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hardened_ec2.policy.resolve.deployment import Deployment, Resource
from hardened_ec2.policy.resolve.scenarios import together
from hardened_ec2.policy.resolve.values import ABSENT, Place, Unknown, Value


class Kind(StrEnum):
    """The resources that make servers.

    Example:
        >>> server.kind
        <Kind.INSTANCE: 'AWS::EC2::Instance'>
    """

    INSTANCE = "AWS::EC2::Instance"
    LAUNCH_TEMPLATE = "AWS::EC2::LaunchTemplate"
    LAUNCH_CONFIGURATION = "AWS::AutoScaling::LaunchConfiguration"
    SPOT_FLEET = "AWS::EC2::SpotFleet"
    """Makes servers of its own from launch specifications, the older form of launch templates."""

    NETWORK_INTERFACE = "AWS::EC2::NetworkInterface"
    """Not a server itself: it carries the groups and addresses of one."""


AUTO_SCALING_GROUP: Final = "AWS::AutoScaling::AutoScalingGroup"
_EC2_FLEET: Final = "AWS::EC2::EC2Fleet"
_FLEETS: Final = (AUTO_SCALING_GROUP, _EC2_FLEET, Kind.SPOT_FLEET)
"""Everything that launches servers from a launch template, besides an instance."""

_REQUEST: Final = "SpotFleetRequestConfigData"
_ATTACHMENT: Final = "AWS::EC2::NetworkInterfaceAttachment"


@dataclass(frozen=True, eq=False, kw_only=True)
class Server:
    """An instance, or what instances are made from, with its launch template behind it.

    Args:
        kind: The resource it is declared by.
        resource: That resource; findings stand there.
        own: Its own settings: the properties, or ``LaunchTemplateData``.
        behind: The launch-template data that an instance falls back to: unknown where the launch
            template is not in the templates. Default: none.
        interfaces: Network interfaces of the templates that are attached to it. Default: none.
        fleets: Auto Scaling groups, EC2 fleets and Spot fleets that launch it. Default: none.

    Source: Amazon EC2 User Guide, "Store instance launch parameters in launch templates": what is
        given at launch overrides the launch template.

    Example:
        >>> [value.content for value in server.at("InstanceType")]
        ['m7g.large', 't4g.micro']
    """

    kind: Kind
    resource: Resource
    own: tuple[Value, ...]
    behind: tuple[Value, ...] = ()
    interfaces: tuple[Resource, ...] = ()
    fleets: tuple[Resource, ...] = ()

    @property
    def place(self) -> Place:
        """Where findings about the server as a whole stand."""
        return self.resource.place

    def at(self, key: str, *rest: str) -> tuple[Value, ...]:
        """Read a setting as the server gets it, its own before its launch template's.

        Args:
            key: The property.
            rest: Properties further down.

        Returns:
            Everything it can be; content `ABSENT`, placed on the server, when it is not given.
        """
        found = tuple(value for own in self.own for value in self._with_behind(own, key))
        for inner in rest:
            found = tuple(deeper for value in found for deeper in value.at(inner))
        return found

    def entries(self, key: str) -> tuple[Value, ...]:
        """Read a list setting as the server gets it: everything that can be an entry of it."""
        return tuple(entry for value in self.at(key) for entry in value.entries())

    def of_interfaces(self, key: str) -> tuple[Value, ...]:
        """Read a setting of the network interfaces that the server is launched with."""
        return tuple(
            value for entry in self.entries("NetworkInterfaces") for value in entry.at(key)
        )

    def _with_behind(self, own: Value, key: str) -> Iterator[Value]:
        for value in own.at(key):
            if value.content is not ABSENT or not self.behind:
                yield value
                continue
            for template in self.behind:
                for inherited in template.at(key):
                    when = together(value.when, inherited.when)
                    if when is None:
                        continue
                    if inherited.content is ABSENT:
                        yield Value(ABSENT, when, value.place)
                    elif isinstance(inherited.content, Unknown):
                        where = self.place.under("Properties").under("LaunchTemplate")
                        yield Value(inherited.content, when, where)
                    else:
                        yield Value(inherited.content, when, inherited.place)


def servers(deployment: Deployment) -> tuple[Server, ...]:
    """Find every server of a deployment.

    A launch template that only instances of the templates use is judged with them, for they may
    supply what it leaves out; every other one is judged by itself.

    Args:
        deployment: The templates.

    Returns:
        Instances, launch templates, launch configurations, Spot fleets with launch specifications
        and network interfaces, in that order.

    Source: AWS CloudFormation Template Reference, the resource types of `Kind`.

    Example:
        >>> [server.resource.logical_id for server in servers(deployment)]
        ['Server']
    """
    return tuple(_Census(deployment).servers())


def launched_from_outside(deployment: Deployment) -> tuple[Value, ...]:
    """List what fleets launch from that the templates do not hold.

    Args:
        deployment: The templates.

    Returns:
        Where a launch template, a launch configuration or an instance is named that no rule can
        look into.

    Example:
        >>> properties = {"LaunchTemplate": {"LaunchTemplateId": "lt-0123456789abcdef0"}}
        >>> fleet = {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": properties}
        >>> template = Template(name="fleet.json", document={"Resources": {"Fleet": fleet}})
        >>> [value.place.logical_id for value in launched_from_outside(Deployment([template]))]
        ['Fleet']
    """
    return tuple(_Census(deployment).outside)


def subnets_of_fleet(fleet: Resource) -> Iterator[Value]:
    """Yield the subnets that an Auto Scaling group or a fleet launches into, as values."""
    if fleet.type == AUTO_SCALING_GROUP:
        lists = fleet.properties.at("VPCZoneIdentifier")
    else:
        lists = tuple(
            subnet
            for config in _configurations(fleet)
            for overrides in config.at("Overrides")
            for override in overrides.entries()
            for subnet in override.at("SubnetId")
        )
    for subnets in lists:
        yield from subnets.entries()


def _configurations(fleet: Resource) -> Iterator[Value]:
    keys = (_REQUEST,) if fleet.type == Kind.SPOT_FLEET else ()
    for configurations in fleet.properties.at(*keys, "LaunchTemplateConfigs"):
        yield from configurations.entries()


class _Census:
    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.outside: list[Value] = []
        self._instance_templates: set[tuple[str, str]] = set()
        self._fleet_templates: dict[tuple[str, str], list[Resource]] = {}
        self._names = {
            value.content: template
            for template in deployment.resources(Kind.LAUNCH_TEMPLATE)
            for value in template.properties.at("LaunchTemplateName")
            if isinstance(value.content, str)
        }
        for fleet in deployment.resources(*_FLEETS):
            for template in self._launched_by(fleet):
                self._fleet_templates.setdefault(template.key, []).append(fleet)

    def servers(self) -> Iterator[Server]:
        instances = tuple(map(self._instance, self._deployment.resources(Kind.INSTANCE)))
        yield from instances
        elsewhere = self._mentioned_elsewhere()
        for template in self._deployment.resources(Kind.LAUNCH_TEMPLATE):
            if template.key in self._instance_templates and template.key not in elsewhere:
                continue
            yield Server(
                kind=Kind.LAUNCH_TEMPLATE,
                resource=template,
                own=template.properties.at("LaunchTemplateData"),
                fleets=tuple(self._fleet_templates.get(template.key, ())),
            )
        for configuration in self._deployment.resources(Kind.LAUNCH_CONFIGURATION):
            yield Server(
                kind=Kind.LAUNCH_CONFIGURATION,
                resource=configuration,
                own=(configuration.properties,),
                fleets=tuple(self._fleet_templates.get(configuration.key, ())),
            )
        for fleet in self._deployment.resources(Kind.SPOT_FLEET):
            for specifications in fleet.properties.at(_REQUEST, "LaunchSpecifications"):
                for entry in specifications.entries():
                    yield Server(kind=Kind.SPOT_FLEET, resource=fleet, own=(entry,))
        for interface in self._deployment.resources(Kind.NETWORK_INTERFACE):
            yield Server(
                kind=Kind.NETWORK_INTERFACE, resource=interface, own=(interface.properties,)
            )

    def _instance(self, instance: Resource) -> Server:
        behind: list[Value] = []
        for chosen in instance.properties.at("LaunchTemplate"):
            if chosen.content is ABSENT:
                continue
            template = self._template(chosen)
            if template is None:
                unknown = Unknown("its launch template is not in the templates")
                behind.append(Value(unknown, chosen.when, chosen.place))
                continue
            self._instance_templates.add(template.key)
            data = template.properties.at("LaunchTemplateData")
            behind += [each for value in data if (each := value.under(chosen.when)) is not None]
        return Server(
            kind=Kind.INSTANCE,
            resource=instance,
            own=(instance.properties,),
            behind=tuple(behind),
            interfaces=tuple(self._interfaces(instance)),
        )

    def _template(self, chosen: Value) -> Resource | None:
        for key in ("LaunchTemplateId", "LaunchTemplateName"):
            for value in chosen.at(key):
                named = self._names.get(value.content) if isinstance(value.content, str) else None
                found = named or self._deployment.find(value.content)
                if found is not None and found.type == Kind.LAUNCH_TEMPLATE:
                    return found
        return None

    def _interfaces(self, instance: Resource) -> Iterator[Resource]:
        for value in instance.properties.at("NetworkInterfaces"):
            for entry in value.entries():
                for interface in entry.at("NetworkInterfaceId"):
                    found = self._deployment.find(interface.content)
                    if found is not None:
                        yield found
        for attachment in self._deployment.resources(_ATTACHMENT):
            for target in attachment.properties.at("InstanceId"):
                if self._deployment.find(target.content) is instance:
                    for interface in attachment.properties.at("NetworkInterfaceId"):
                        found = self._deployment.find(interface.content)
                        if found is not None:
                            yield found

    def _launched_by(self, fleet: Resource) -> Iterator[Resource]:
        for chosen in self._specifications(fleet):
            if chosen.content is ABSENT:
                continue
            template = self._template(chosen)
            if template is not None:
                yield template
            else:
                self.outside.append(chosen)
        if fleet.type != AUTO_SCALING_GROUP:
            return
        for value in fleet.properties.at("LaunchConfigurationName"):
            found = self._configuration(value)
            if found is not None:
                yield found
            elif value.content is not ABSENT:
                self.outside.append(value)
        self.outside.extend(
            value for value in fleet.properties.at("InstanceId") if value.content is not ABSENT
        )

    @staticmethod
    def _specifications(fleet: Resource) -> Iterator[Value]:
        chosen = "LaunchTemplateSpecification"
        configurations: Iterable[Value] = _configurations(fleet)
        if fleet.type == AUTO_SCALING_GROUP:
            yield from fleet.properties.at("LaunchTemplate")
            configurations = fleet.properties.at("MixedInstancesPolicy", "LaunchTemplate")
        for configuration in configurations:
            yield from configuration.at(chosen)
            for overrides in configuration.at("Overrides"):
                for override in overrides.entries():
                    yield from override.at(chosen)

    def _configuration(self, value: Value) -> Resource | None:
        if isinstance(value.content, str):
            for configuration in self._deployment.resources(Kind.LAUNCH_CONFIGURATION):
                names = configuration.properties.at("LaunchConfigurationName")
                if any(name.content == value.content for name in names):
                    return configuration
        return self._deployment.find(value.content)

    def _mentioned_elsewhere(self) -> set[tuple[str, str]]:
        """Launch templates that something besides an instance launches from."""
        mentioned = set(self._fleet_templates)
        if not self._instance_templates:
            return mentioned
        for resource in self._deployment.everything():
            if resource.type not in (Kind.INSTANCE, Kind.LAUNCH_TEMPLATE):
                for reference in resource.scope.references_in(resource.raw):
                    mentioned.add((reference.template, reference.logical_id))
        return mentioned
