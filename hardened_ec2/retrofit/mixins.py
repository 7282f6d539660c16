"""Mixins: the same hardening for constructs that are not ours, L1 resources included."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard, TypeVar

from aws_cdk import Annotations, CfnResource, Lazy, Mixin, Stack
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from constructs import IConstruct

from hardened_ec2.host import HostHardening
from hardened_ec2.retrofit.conflicts import optional_tokens, unencrypted_volume
from hardened_ec2.retrofit.existing_user_data import PrependedUserData

Server: TypeAlias = ec2.CfnInstance | ec2.CfnLaunchTemplate | autoscaling.CfnLaunchConfiguration
"""What makes servers, as CloudFormation has it."""

DEFAULT_HARDENING = HostHardening()

ROOT_DEVICE_UNKNOWN = "hardened-ec2:root-device-unknown"
"""The id of the warning where a root volume could not be encrypted."""

NOT_READABLE = "hardened-ec2:not-readable"
"""The id of the warning where a property is a token, so that nothing could be changed in it."""

EGRESS_CLOSED = "hardened-ec2:egress-closed"
"""The id of the warning where a group of CDK's own class was closed after it was made."""

HTTPS = (443,)
"""What a closed group still lets out: AWS services (Session Manager too) and packages."""

_AMAZON_LINUX = ("ami-amazon-linux-latest", "amiamazonlinuxlatest")
"""The public parameters of Amazon Linux images, and the parameters CDK makes of them."""

_ANYWHERE = ("0.0.0.0/0", "::/0")

_Struct = TypeVar("_Struct")


class HardenInstance(Mixin):
    """Hardens instances, launch templates and launch configurations that are there already.

    It takes L1 constructs, those inside L2 constructs and what ``CfnInclude`` brought in:
    ``with_`` applies it to everything below the construct it is called on. It writes

    - ``HttpTokens`` required, a guarantee; and where nothing is written yet, hop limit 1;
    - ``Encrypted`` for every EBS volume, a guarantee, and an encrypted root volume of the image's
      own size where the root device is known;
    - detailed monitoring, where nothing is written yet;
    - the host hardening in front of the user data, where these are a shell script or absent.

    A property override wins over it whenever it was added; `HardenedEc2Checks` then reports what
    was opened. A mixin is applied once: constructs that are added later are not reached.

    Args:
        host_hardening: What to do on the host. Default: `HostHardening()`. None where the image
            carries it, and for Windows and Bottlerocket.
        root_device_name: The root device of the images. Default: ``/dev/xvda`` where the image is
            Amazon Linux by its public parameter; elsewhere the root volume is left to the image,
            with a warning. A wrong name would add an empty second volume.

    Raises:
        ValueError: If ``host_hardening`` is neither a `HostHardening` nor None. Settings that
            contradict a guarantee are refused at synth, all of them together.

    Source: AWS CDK, "Mixins"; Security Hub EC2.3, EC2.8; CIS AWS Foundations 5.7.

    Example::

        legacy = ec2.CfnInstance(self, "Legacy", image_id="ami-0123456789abcdef0")
        legacy.with_(HardenInstance())
        self.with_(HardenInstance(), HardenVolume(), HardenSecurityGroup())
    """

    def __init__(
        self,
        *,
        host_hardening: HostHardening | None = DEFAULT_HARDENING,
        root_device_name: str | None = None,
    ) -> None:
        super().__init__()
        check_hardening(host_hardening)
        self._host_hardening = host_hardening
        self._root_device_name = root_device_name

    def supports(self, _construct: IConstruct) -> bool:
        """Tell whether a construct is one that makes servers. Called by CDK."""
        return _is_server(_construct)

    def apply_to(self, construct: IConstruct) -> None:
        """Harden one construct. Called by CDK."""
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
        mappings: Any,  # noqa: ANN401 - three classes of CDK that share no base
        image_id: str | None,
        types: tuple[Any, Any],
    ) -> Any:  # noqa: ANN401
        """Return the block device mappings with every EBS volume encrypted."""
        if mappings is not None and not _is_list(mappings):
            _warn_not_readable(server, "BlockDeviceMappings")
            return mappings
        make_mapping, make_ebs = types
        root = self._root_device_name
        if root is None and _is_amazon_linux(server, image_id):
            root = "/dev/xvda"
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
    """Encrypts EBS volumes that are there already.

    Raises:
        ValueError: Never; a volume that says ``encrypted=False`` is refused at synth.

    Source: Security Hub EC2.3.

    Example::

        volume = ec2.CfnVolume(self, "Data", availability_zone="eu-central-1a", size=100)
        volume.with_(HardenVolume())
    """

    def supports(self, _construct: IConstruct) -> bool:
        """Tell whether a construct is a volume. Called by CDK."""
        return isinstance(_construct, ec2.CfnVolume)

    def apply_to(self, construct: IConstruct) -> None:
        """Encrypt one volume. Called by CDK."""
        if isinstance(construct, ec2.CfnVolume):
            if construct.encrypted is False:
                unencrypted_volume(construct.node.path, "the volume").add_to(construct)
            if construct.encrypted in (None, False):
                construct.encrypted = True


class HardenSecurityGroup(Mixin):
    """Closes the egress of security groups that let out everything.

    EC2 opens all egress of a group that names none, and an `ec2.SecurityGroup` is made with a rule
    that does the same. Instead the group lets out HTTPS, unless you say otherwise. A group whose
    egress rules are narrower is left as it is.

    For an `ec2.SecurityGroup` do it where the group is made (``allow_all_outbound=False``) or with
    `HardenedEc2Defaults`, if anything asks it for egress: CDK drops such rules while the group
    lets out everything, and does not bring them back. A warning on the group says so.

    Args:
        egress_ports: TCP ports that stay open, to anywhere. Default: 443.

    Raises:
        ValueError: If a port is none.

    Source: AWS, "Security group rules"; cfn-nag F1000.

    Example::

        ec2.CfnSecurityGroup(self, "Legacy", group_description="Web").with_(HardenSecurityGroup())
    """

    def __init__(self, *, egress_ports: Sequence[int] = HTTPS) -> None:
        super().__init__()
        check_ports(egress_ports)
        self._egress_ports = tuple(egress_ports)

    def supports(self, _construct: IConstruct) -> bool:
        """Tell whether a construct is a security group. Called by CDK."""
        return isinstance(_construct, ec2.CfnSecurityGroup)

    def apply_to(self, construct: IConstruct) -> None:
        """Close one group. Called by CDK."""
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
            *(_egress("tcp", port, "0.0.0.0/0", "Left open") for port in self._egress_ports),
            # A group without any rule would be opened by EC2; this one grants nothing new.
            _egress("udp", 123, "169.254.169.123/32", "NTP to the Amazon Time Sync Service"),
        ]
        if isinstance(construct.node.scope, ec2.SecurityGroup):
            Annotations.of(construct).add_warning_v2(
                EGRESS_CLOSED,
                "this group was closed after it was made: egress that connections asked it for was "
                "dropped by CDK, because it let out everything then. Write "
                "allow_all_outbound=False where it is made, or attach HardenedEc2Defaults",
            )


def prepend_hardening(server: Server, hardening: HostHardening) -> None:
    """Put the host hardening in front of a server's user data, where that is safe.

    Args:
        server: The L1 construct.
        hardening: What to do on the host.

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
    """Say that a root volume was left to the image.

    Args:
        construct: The server.
    """
    Annotations.of(construct).add_warning_v2(
        ROOT_DEVICE_UNKNOWN,
        "the root device of this image could be any, so whether the root volume is encrypted is "
        "left to the image and the account: write root_device_name=..., which is what aws ec2 "
        "describe-images --image-ids AMI --query 'Images[].RootDeviceName' says",
    )


def check_hardening(hardening: object) -> None:
    """Refuse what is no host hardening.

    Args:
        hardening: What was given for ``host_hardening``.

    Raises:
        ValueError: If it is neither a `HostHardening` nor None.
    """
    if hardening is not None and not isinstance(hardening, HostHardening):
        raise ValueError(
            f"host_hardening is {hardening!r}: write host_hardening=HostHardening(), or None where "
            "the image carries the hardening"
        )


def check_ports(ports: Sequence[int]) -> None:
    """Refuse what are no TCP ports.

    Args:
        ports: What was given for ``egress_ports``.

    Raises:
        ValueError: If one of them is no port.
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
    """Return a struct of CDK with some values changed. Structs cannot be changed in place."""
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
    return str(rule.get("ipProtocol")) == "-1" and address in _ANYWHERE


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
        f"{what} is only known at deployment and was left as it is: write its values, or harden "
        "them where they come from",
    )
