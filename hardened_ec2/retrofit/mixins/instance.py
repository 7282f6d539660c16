"""HardenInstance: a mixin that hardens existing servers."""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias, TypeGuard, TypeVar

from aws_cdk import Annotations, Lazy, Mixin, Stack
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from constructs import IConstruct

from hardened_ec2.host import HostHardening
from hardened_ec2.policy.root_devices import AMAZON_LINUX, LOOK_UP
from hardened_ec2.retrofit.conflicts import optional_tokens, unencrypted_volume
from hardened_ec2.retrofit.existing_user_data import PrependedUserData
from hardened_ec2.retrofit.mixins.readable import is_list, warn_not_readable
from hardened_ec2.support.signature import own_signature

Server: TypeAlias = ec2.CfnInstance | ec2.CfnLaunchTemplate | autoscaling.CfnLaunchConfiguration
"""The L1 constructs that describe servers."""

ROOT_DEVICE_UNKNOWN = "hardened-ec2:root-device-unknown"
"""The id of the warning about a root volume that could not be encrypted."""

_AMAZON_LINUX = ("ami-amazon-linux-latest", "amiamazonlinuxlatest")
"""Amazon Linux's public SSM parameters, and the template parameters that CDK makes of them."""

_Struct = TypeVar("_Struct")


@own_signature
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
            warn_not_readable(template, "LaunchTemplateData")
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
        make_options: Any
        make_volumes: tuple[Any, Any]
        if isinstance(server, ec2.CfnInstance):
            instance = ec2.CfnInstance
            make_options = instance.MetadataOptionsProperty
            make_volumes = (instance.BlockDeviceMappingProperty, instance.EbsProperty)
            if server.monitoring is None:
                server.monitoring = True
        else:
            configuration = autoscaling.CfnLaunchConfiguration
            make_options = configuration.MetadataOptionsProperty
            make_volumes = (
                configuration.BlockDeviceMappingProperty,
                configuration.BlockDeviceProperty,
            )
            if server.instance_monitoring is None:
                server.instance_monitoring = True
        server.metadata_options = _options(server, server.metadata_options, make_options)
        server.block_device_mappings = self._mappings(
            server, server.block_device_mappings, server.image_id, make_volumes
        )

    def _mappings(
        self,
        server: Server,
        mappings: Any,  # noqa: ANN401 - three CDK classes without a common base
        image_id: str | None,
        types: tuple[Any, Any],
    ) -> Any:  # noqa: ANN401
        """Return block device mappings in which every EBS volume is encrypted."""
        if mappings is not None and not is_list(mappings):
            warn_not_readable(server, "BlockDeviceMappings")
            return mappings
        make_mapping, make_ebs = types
        root = self._root_device_name
        if root is None and _is_amazon_linux(server, image_id):
            root = AMAZON_LINUX
        changed = []
        for mapping in mappings or []:
            if not isinstance(mapping, make_mapping):
                warn_not_readable(server, "BlockDeviceMappings")
                return mappings
            changed.append(_encrypted(server, mapping, make_ebs))
        if root is None:
            if not any(mapping.ebs for mapping in changed):
                warn_root_device_unknown(server)
        elif root not in {mapping.device_name for mapping in changed}:
            changed.insert(0, make_mapping(device_name=root, ebs=make_ebs(encrypted=True)))
        return changed or None


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


def _is_server(construct: IConstruct) -> TypeGuard[Server]:
    kinds = (ec2.CfnInstance, ec2.CfnLaunchTemplate, autoscaling.CfnLaunchConfiguration)
    return isinstance(construct, kinds)


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
        warn_not_readable(server, "MetadataOptions")
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
        warn_not_readable(server, f"the volume {mapping.device_name}")
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
