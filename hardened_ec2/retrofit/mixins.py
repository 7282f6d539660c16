"""Mixins that harden existing constructs, including L1 constructs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard, TypeVar

from aws_cdk import Annotations, CfnResource, Lazy, Mixin, Stack
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from constructs import IConstruct

from hardened_ec2.addresses import ANYWHERE, ANYWHERE_IPV4
from hardened_ec2.host import HostHardening
from hardened_ec2.network.security_group import TIME_SYNC, TIME_SYNC_CIDR
from hardened_ec2.policy.root_devices import AMAZON_LINUX, LOOK_UP
from hardened_ec2.retrofit.conflicts import optional_tokens, unencrypted_volume
from hardened_ec2.retrofit.existing_user_data import PrependedUserData

Server: TypeAlias = ec2.CfnInstance | ec2.CfnLaunchTemplate | autoscaling.CfnLaunchConfiguration
"""The L1 constructs that describe servers."""

ROOT_DEVICE_UNKNOWN = "hardened-ec2:root-device-unknown"
"""The id of the warning about a root volume that could not be encrypted."""

NOT_READABLE = "hardened-ec2:not-readable"
"""The id of the warning about a property that could not be changed, because it is a token."""

EGRESS_CLOSED = "hardened-ec2:egress-closed"
"""The id of the warning about an `ec2.SecurityGroup` whose egress was closed after creation."""

HTTPS = (443,)
"""The default egress ports: AWS services, Session Manager and packages use HTTPS."""

_AMAZON_LINUX = ("ami-amazon-linux-latest", "amiamazonlinuxlatest")
"""Amazon Linux's public SSM parameters, and the template parameters that CDK makes of them."""

_Struct = TypeVar("_Struct")


class HardenInstance(Mixin):
    """A mixin that hardens existing instances, launch templates and launch configurations.

    It changes L1 constructs, also those inside L2 constructs and those from ``CfnInclude``:
    ``with_`` applies it to all constructs below the one it is called on. It sets

    - ``HttpTokens`` to required, a guarantee, and the hop limit to 1 if none is set;
    - ``Encrypted`` for every EBS volume, a guarantee, and adds an encrypted root volume of the
      image's size if the root device is known;
    - detailed monitoring, if it is not set;
    - the host hardening in front of user data that is a shell script or absent.

    Property overrides win, whenever they are added; `HardenedEc2Checks` reports what they open. A
    mixin is applied once: it does not change constructs that are created later.

    Source: AWS CDK, "Mixins"; Security Hub EC2.3, EC2.8; CIS AWS Foundations 5.7.

    Example::

        legacy = ec2.CfnInstance(self, "Legacy", image_id="ami-0123456789abcdef0")
        legacy.with_(HardenInstance())
        self.with_(HardenInstance(), HardenVolume(), HardenSecurityGroup())
    """

    def __init__(
        self,
        *,
        host_hardening: HostHardening | None = HostHardening(),
        root_device_name: str | None = None,
    ) -> None:
        """Create the mixin.

        Args:
            host_hardening: The host hardening. None if the image carries it, and for Windows and
                Bottlerocket. Default: `HostHardening()`.
            root_device_name: The root device of the images. A wrong name adds an empty second
                volume. Default: ``/dev/xvda`` for images from Amazon Linux's public parameters;
                other root volumes stay as the image defines them, with a warning.

        Raises:
            ValueError: If ``host_hardening`` is neither a `HostHardening` nor None. Settings that
                contradict a guarantee fail the synth, which reports all of them together.
        """
        super().__init__()
        check_hardening(host_hardening)
        self._host_hardening = host_hardening
        self._root_device_name = root_device_name

    def supports(self, _construct: IConstruct) -> bool:
        """Whether a construct describes servers. CDK calls it."""
        return _is_server(_construct)

    def apply_to(self, construct: IConstruct) -> None:
        """Harden a construct. CDK calls it."""
        if not _is_server(construct):
            return
        if isinstance(construct, ec2.CfnLaunchTemplate):
            self._apply_to_template(construct)
        else:
            self._apply_to_server(construct)
        if self._host_hardening is not None:
            prepend_hardening(construct, self._host_hardening)

    def _apply_to_template(self, template: ec2.CfnLaunchTemplate) -> None:
        types = ec2.CfnLaunchTemplate
        data = template.launch_template_data
        if not isinstance(data, types.LaunchTemplateDataProperty):
            _warn_not_readable(template, "LaunchTemplateData")
            return
        template.launch_template_data = _changed(
            data,
            metadata_options=_options(
                template, data.metadata_options, types.MetadataOptionsProperty
            ),
            block_device_mappings=self._mappings(
                template,
                data.block_device_mappings,
                data.image_id,
                (types.BlockDeviceMappingProperty, types.EbsProperty),
            ),
            monitoring=data.monitoring or types.MonitoringProperty(enabled=True),
        )

    def _apply_to_server(
        self, server: ec2.CfnInstance | autoscaling.CfnLaunchConfiguration
    ) -> None:
        if isinstance(server, ec2.CfnInstance):
            instance = ec2.CfnInstance
            server.metadata_options = _options(
                server, server.metadata_options, instance.MetadataOptionsProperty
            )
            server.block_device_mappings = self._mappings(
                server,
                server.block_device_mappings,
                server.image_id,
                (instance.BlockDeviceMappingProperty, instance.EbsProperty),
            )
            if server.monitoring is None:
                server.monitoring = True
            return
        configuration = autoscaling.CfnLaunchConfiguration
        server.metadata_options = _options(
            server, server.metadata_options, configuration.MetadataOptionsProperty
        )
        server.block_device_mappings = self._mappings(
            server,
            server.block_device_mappings,
            server.image_id,
            (configuration.BlockDeviceMappingProperty, configuration.BlockDeviceProperty),
        )
        if server.instance_monitoring is None:
            server.instance_monitoring = True

    def _mappings(
        self,
        server: Server,
        mappings: Any,  # noqa: ANN401 - three CDK classes without a common base
        image_id: str | None,
        types: tuple[Any, Any],
    ) -> Any:  # noqa: ANN401
        """Return block device mappings in which every EBS volume is encrypted."""
        if mappings is not None and not _is_list(mappings):
            _warn_not_readable(server, "BlockDeviceMappings")
            return mappings
        make_mapping, make_ebs = types
        root = self._root_device_name
        if root is None and _is_amazon_linux(server, image_id):
            root = AMAZON_LINUX
        changed = []
        for mapping in mappings or []:
            if not isinstance(mapping, make_mapping):
                _warn_not_readable(server, "BlockDeviceMappings")
                return mappings
            changed.append(_encrypted(server, mapping, make_ebs))
        if root is None:
            if not any(mapping.ebs for mapping in changed):
                warn_root_device_unknown(server)
        elif root not in {mapping.device_name for mapping in changed}:
            changed.insert(0, make_mapping(device_name=root, ebs=make_ebs(encrypted=True)))
        return changed or None


class HardenVolume(Mixin):
    """A mixin that encrypts existing EBS volumes.

    A volume with ``encrypted=False`` fails the synth.

    Source: Security Hub EC2.3.

    Example::

        volume = ec2.CfnVolume(self, "Data", availability_zone="eu-central-1a", size=100)
        volume.with_(HardenVolume())
    """

    def supports(self, _construct: IConstruct) -> bool:
        """Whether a construct is a volume. CDK calls it."""
        return isinstance(_construct, ec2.CfnVolume)

    def apply_to(self, construct: IConstruct) -> None:
        """Encrypt a volume. CDK calls it."""
        if isinstance(construct, ec2.CfnVolume):
            if construct.encrypted is False:
                unencrypted_volume(construct.node.path, "the volume").add_to(construct)
            if construct.encrypted in (None, False):
                construct.encrypted = True


class HardenSecurityGroup(Mixin):
    """A mixin that closes the egress of existing security groups that allow all of it.

    EC2 allows all egress for a group without egress rules, and `ec2.SecurityGroup` has a rule that
    does the same. The mixin allows only ``egress_ports`` instead. Groups with narrower egress
    rules stay as they are.

    If connections add egress rules to an `ec2.SecurityGroup`, write ``allow_all_outbound=False``
    where it is created, or attach `HardenedEc2Defaults`, instead: CDK drops such rules while the
    group allows all egress, and they stay lost. A warning on the group says so.

    Source: AWS, "Security group rules"; cfn-nag F1000.

    Example::

        ec2.CfnSecurityGroup(self, "Legacy", group_description="Web").with_(HardenSecurityGroup())
    """

    def __init__(self, *, egress_ports: Sequence[int] = HTTPS) -> None:
        """Create the mixin.

        Args:
            egress_ports: The TCP ports to which egress stays allowed, anywhere. Default: 443.

        Raises:
            ValueError: If a port is not a number from 1 to 65535.
        """
        super().__init__()
        check_ports(egress_ports)
        self._egress_ports = tuple(egress_ports)

    def supports(self, _construct: IConstruct) -> bool:
        """Whether a construct is a security group. CDK calls it."""
        return isinstance(_construct, ec2.CfnSecurityGroup)

    def apply_to(self, construct: IConstruct) -> None:
        """Close a group's egress. CDK calls it."""
        if not isinstance(construct, ec2.CfnSecurityGroup):
            return
        given = construct.security_group_egress
        resolved = Stack.of(construct).resolve(given) or []
        if not _is_list(resolved):
            _warn_not_readable(construct, "SecurityGroupEgress")
            return
        kept = [at for at, rule in enumerate(resolved) if not _lets_out_everything(rule)]
        if resolved and len(kept) == len(resolved):
            return
        if kept and not _is_list(given):
            _warn_not_readable(construct, "SecurityGroupEgress")
            return
        rules = [given[at] for at in kept] if _is_list(given) else []
        construct.security_group_egress = [
            *rules,
            *(_egress("tcp", port, ANYWHERE_IPV4, "Left open") for port in self._egress_ports),
            # EC2 opens a group without egress rules. This one adds nothing: NTP is always allowed.
            _egress("udp", 123, TIME_SYNC_CIDR, TIME_SYNC),
        ]
        if isinstance(construct.node.scope, ec2.SecurityGroup):
            Annotations.of(construct).add_warning_v2(
                EGRESS_CLOSED,
                "this group's egress was closed after the group was created, and CDK has dropped "
                "the egress rules of its connections, because it allowed all egress until then: "
                "write allow_all_outbound=False where it is created, or attach HardenedEc2Defaults",
            )


def prepend_hardening(server: Server, hardening: HostHardening) -> None:
    """Put the host hardening in front of a server's user data, if that is safe.

    Args:
        server: The L1 construct.
        hardening: The host hardening.

    Example::

        prepend_hardening(instance, HostHardening())
    """
    if isinstance(server, ec2.CfnLaunchTemplate):
        data = server.launch_template_data
        if not isinstance(data, ec2.CfnLaunchTemplate.LaunchTemplateDataProperty):
            return
        value = PrependedUserData(server, data.user_data, hardening)
        server.launch_template_data = _changed(data, user_data=Lazy.uncached_string(value))
    else:
        value = PrependedUserData(server, server.user_data, hardening)
        server.user_data = Lazy.uncached_string(value)
    server.node.add_validation(value)


def warn_root_device_unknown(construct: IConstruct) -> None:
    """Warn that a root volume stays as the image defines it.

    Args:
        construct: The server.
    """
    Annotations.of(construct).add_warning_v2(
        ROOT_DEVICE_UNKNOWN,
        "cannot tell the root device of this image, so the image and the account decide whether "
        f"the root volume is encrypted: write root_device_name=... as printed by {LOOK_UP}",
    )


def check_hardening(hardening: object) -> None:
    """Refuse a value that is neither a `HostHardening` nor None.

    Args:
        hardening: The argument ``host_hardening``.

    Raises:
        ValueError: If it is neither.
    """
    if hardening is not None and not isinstance(hardening, HostHardening):
        raise ValueError(
            f"host_hardening is {hardening!r}: write host_hardening=HostHardening(), or None if "
            "the image carries the hardening"
        )


def check_ports(ports: Sequence[int]) -> None:
    """Refuse a value that is not a sequence of TCP ports.

    Args:
        ports: The argument ``egress_ports``.

    Raises:
        ValueError: If it is not a sequence of numbers from 1 to 65535.
    """
    if not _is_list(ports) or not all(
        type(port) is int and 1 <= port <= 65_535  # noqa: PLR2004 - named below
        for port in ports
    ):
        raise ValueError(
            f"egress_ports is {ports!r}: write TCP ports from 1 to 65535, such as (443,) or "
            "(80, 443), or () for none"
        )


def _is_server(construct: IConstruct) -> TypeGuard[Server]:
    kinds = (ec2.CfnInstance, ec2.CfnLaunchTemplate, autoscaling.CfnLaunchConfiguration)
    return isinstance(construct, kinds)


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _changed(struct: _Struct, **values: object) -> _Struct:
    """Return a copy of a CDK struct, which is immutable, with some values changed."""
    given: Mapping[str, object] = struct._values  # type: ignore[attr-defined] # noqa: SLF001
    kept = {name: value for name, value in {**given, **values}.items() if value is not None}
    return type(struct)(**kept)


def _options(server: Server, options: Any, make: Any) -> Any:  # noqa: ANN401 - as in _mappings
    """Return metadata options that require a session token."""
    if options is None:
        return make(http_tokens="required", http_put_response_hop_limit=1)
    if not isinstance(options, make):
        _warn_not_readable(server, "MetadataOptions")
        return options
    if options.http_tokens == "optional":
        optional_tokens(server.node.path).add_to(server)
    hops = options.http_put_response_hop_limit
    return _changed(
        options, http_tokens="required", http_put_response_hop_limit=1 if hops is None else hops
    )


def _encrypted(server: Server, mapping: Any, make_ebs: Any) -> Any:  # noqa: ANN401
    if mapping.ebs is None:
        return mapping
    if not isinstance(mapping.ebs, make_ebs):
        _warn_not_readable(server, f"the volume {mapping.device_name}")
        return mapping
    encrypted = mapping.ebs.encrypted
    if encrypted is False:
        unencrypted_volume(server.node.path, f"the volume {mapping.device_name}").add_to(server)
    if encrypted in (None, False):
        return _changed(mapping, ebs=_changed(mapping.ebs, encrypted=True))
    return mapping


def _is_amazon_linux(server: Server, image_id: str | None) -> bool:
    if image_id is None:
        return False
    image = json.dumps(Stack.of(server).resolve(image_id))
    return any(name in image for name in _AMAZON_LINUX)


def _lets_out_everything(rule: Mapping[str, Any]) -> bool:
    address = rule.get("cidrIp") or rule.get("cidrIpv6")
    return str(rule.get("ipProtocol")) == "-1" and address in ANYWHERE


def _egress(
    protocol: str, port: int, address: str, description: str
) -> ec2.CfnSecurityGroup.EgressProperty:
    return ec2.CfnSecurityGroup.EgressProperty(
        ip_protocol=protocol,
        from_port=port,
        to_port=port,
        cidr_ip=address,
        description=description,
    )


def _warn_not_readable(construct: CfnResource, what: str) -> None:
    Annotations.of(construct).add_warning_v2(
        NOT_READABLE,
        f"{what} is known only at deployment and stays as it is: write its values in the template, "
        "or harden them where they come from",
    )
