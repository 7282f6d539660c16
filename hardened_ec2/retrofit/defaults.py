"""HardenedEc2Defaults: secure defaults for CDK's own EC2 constructs in an existing app."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import jsii
from aws_cdk import (
    Annotations,
    AspectPriority,
    Aspects,
    IAspect,
    IPropertyInjector,
    PropertyInjectors,
    Stack,
)
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from constructs import Construct, IConstruct

from hardened_ec2.host import HostHardening
from hardened_ec2.network.security_group import TIME_SYNC, tcp, time_sync
from hardened_ec2.policy.root_devices import ROOT_DEVICES
from hardened_ec2.retrofit import injected_props
from hardened_ec2.retrofit.conflicts import Conflict, another_hardening
from hardened_ec2.retrofit.existing_user_data import NOT_PREPENDED
from hardened_ec2.retrofit.injected_props import Props
from hardened_ec2.retrofit.mixins.instance import (
    check_hardening,
    prepend_hardening,
    warn_root_device_unknown,
)
from hardened_ec2.retrofit.mixins.security_group import HTTPS, check_ports
from hardened_ec2.servers.imds import Imds
from hardened_ec2.servers.machine_image import hardening_of_server
from hardened_ec2.servers.user_data import HardenedUserData
from hardened_ec2.support.not_given import NOT_GIVEN, NotGiven

_CONSTRUCTS = (
    ec2.Instance,
    ec2.BastionHostLinux,
    ec2.LaunchTemplate,
    ec2.SecurityGroup,
    ec2.Volume,
    ec2.Vpc,
    autoscaling.AutoScalingGroup,
)

_INNER_GROUP = "InstanceSecurityGroup"
"""The id of the security group that CDK creates inside an instance or an Auto Scaling group."""


class HardenedEc2Defaults:
    """Secure defaults for CDK's own EC2 constructs, without changes where the app uses them.

    They apply to every `ec2.Instance`, `ec2.BastionHostLinux`, `ec2.LaunchTemplate`,
    `ec2.SecurityGroup`, `ec2.Volume`, `ec2.Vpc` and `autoscaling.AutoScalingGroup` that is created
    in the scope after `attach`, including those inside other constructs (the instance of a bastion,
    the capacity of an ECS cluster). The app's own settings override defaults; guarantees override
    the app's settings.

    ==================  ==========================================================  ============
    construct           what it gets                                                kind
    ==================  ==========================================================  ============
    server, template    session tokens for metadata (IMDSv2)                        guarantee
    server, template    every EBS volume encrypted, the root volume if it is known  guarantee
    volume              encrypted                                                   guarantee
    server, template    hop limit 1, detailed monitoring                            default
    server, template    the host hardening in front of a script in the user data    default
    group               egress to ``egress_ports`` only                             default
    VPC                 no public addresses from its subnets, a closed default      default
                        group, flow logs
    bastion             Amazon Linux 2023                                           default
    ==================  ==========================================================  ============

    Synth refuses settings that contradict a guarantee (``http_tokens=OPTIONAL``,
    ``encrypted=False``), and names the construct and what to write. Other decisions stay the app's,
    and `HardenedEc2Checks` reports them: open ports, public addresses, key pairs, secrets, images
    with an unknown root device, L1 constructs.

    The changes affect running servers: a block device mapping replaces an instance. Read
    docs/migration.md before you deploy.
    """

    @staticmethod
    def attach(
        scope: Construct,
        *,
        host_hardening: HostHardening | NotGiven | None = NOT_GIVEN,
        root_device_name: str | None = None,
        egress_ports: Sequence[int] | None = HTTPS,
        flow_logs: bool = True,
    ) -> None:
        """Attach the defaults to a scope: an app, a stage, a stack or any construct.

        The nearest attachment applies to a construct, so a stack can differ from its app.

        Args:
            scope: The scope, before any of the constructs is created in it.
            host_hardening: The host hardening. None for images that carry it. Default: the
                hardening of the image for servers of a `HardenedMachineImage`, which a different
                one contradicts; otherwise `HostHardening()`.
            root_device_name: The root device of images other than Amazon Linux. A wrong name adds
                an empty second volume. Default: such root volumes stay as the image defines them,
                and the pack reports them.
            egress_ports: The TCP ports to which security groups without egress settings may
                connect, anywhere. None leaves such groups open, as CDK creates them. Default:
                443, for Session Manager, AWS services and packages.
            flow_logs: Whether a VPC without a flow log gets one, in its own CloudWatch log group
                ($0.50 for each GB). Default: True.

        Raises:
            ValueError: If the scope already contains one of the constructs, or already has a
                property injector for one of them, or an argument has another type or value than
                allowed.

        Source: AWS CDK, "Property injectors"; Security Hub EC2.2, EC2.3, EC2.6, EC2.8, EC2.15.

        Example::

            app = cdk.App()
            HardenedEc2Defaults.attach(app)
            cdk.Validations.of(app).add_plugins(HardenedEc2Checks(app))
            TheTeamsStack(app, "Shop")
        """
        if not isinstance(scope, Construct):
            raise ValueError(f"scope is {scope!r}: write HardenedEc2Defaults.attach(app)")
        if host_hardening is not NOT_GIVEN:
            check_hardening(host_hardening)
        if egress_ports is not None:
            check_ports(egress_ports)
        _refuse_late(scope)
        injectors = PropertyInjectors.of(scope)
        taken = set(injectors.supported_classes())
        for construct in _CONSTRUCTS:
            if construct.PROPERTY_INJECTION_ID in taken:
                raise ValueError(
                    f"{scope.node.path or 'the app'} has a property injector for "
                    f"{construct.__name__} already, and CDK allows one in a scope: attach the "
                    "defaults to a scope above or below it. The nearest injector applies: where "
                    "that is the existing one, call with_(HardenInstance(), HardenVolume(), "
                    "HardenSecurityGroup()) too"
                )
        defaults = _Defaults(
            host_hardening=host_hardening,
            root_device_name=root_device_name,
            egress_ports=None if egress_ports is None else tuple(egress_ports),
            flow_logs=flow_logs,
        )
        injectors.add(*defaults.injectors())


@jsii.implements(IPropertyInjector)
class _Injector:
    def __init__(self, unique_id: str, inject: Callable[[Props, Construct, str], Props]) -> None:
        self._unique_id = unique_id
        self._inject = inject

    @property
    def construct_unique_id(self) -> str:
        return self._unique_id

    def inject(self, original_props: Props | None, *, scope: Construct, id: str) -> Props:  # noqa: A002
        return self._inject(dict(original_props or {}), scope, id)


@jsii.implements(IAspect)
class _Finish:
    """Changes that need the finished construct, made before CDK writes the templates.

    It is an Aspect of each stack, since an Aspect of an app does not reach into its stages.
    """

    def __init__(self) -> None:
        self._pending: list[tuple[Construct, str, Callable[[IConstruct], None]]] = []
        self._stacks: set[str] = set()

    def later(self, scope: Construct, name: str, action: Callable[[IConstruct], None]) -> None:
        stack = Stack.of(scope)
        path = stack.node.path
        if path not in self._stacks:
            self._stacks.add(path)
            Aspects.of(stack).add(self, priority=AspectPriority.MUTATING)
        self._pending.append((scope, name, action))

    def visit(self, node: IConstruct) -> None:  # noqa: ARG002 - the first visit makes all changes
        pending, self._pending = self._pending, []
        for scope, name, action in pending:
            construct = scope.node.try_find_child(name)
            if construct is not None:
                action(construct)


@dataclass(frozen=True, kw_only=True)
class _Defaults:
    """The settings of one attachment, and the changes to each kind of construct."""

    host_hardening: HostHardening | NotGiven | None
    root_device_name: str | None
    egress_ports: tuple[int, ...] | None
    flow_logs: bool
    finish: _Finish = field(default_factory=_Finish)

    def injectors(self) -> Iterator[_Injector]:
        for construct, inject in (
            (ec2.Instance, self._instance),
            (ec2.BastionHostLinux, self._bastion),
            (ec2.LaunchTemplate, self._launch_template),
            (ec2.SecurityGroup, self._security_group),
            (ec2.Volume, self._volume),
            (ec2.Vpc, self._vpc),
            (autoscaling.AutoScalingGroup, self._auto_scaling_group),
        ):
            yield _Injector(construct.PROPERTY_INJECTION_ID, inject)

    def _instance(self, props: Props, scope: Construct, name: str) -> Props:
        path = f"{scope.node.path}/{name}"
        root = injected_props.root_device(props, self.root_device_name)
        _report(scope, injected_props.metadata_options(props, ec2.HttpTokens.REQUIRED, path))
        _report(scope, injected_props.block_devices(props, root, scope, path))
        props.setdefault("detailedMonitoring", True)
        self._close_inner_group(props, scope, name)
        if props.get("httpEndpoint") is not False:
            self._harden_host(props, scope, name)
        self._warn_of_root(props, root, scope, name)
        return props

    def _bastion(self, props: Props, _scope: Construct, _name: str) -> Props:
        injected_props.bastion(props)
        return props

    def _launch_template(self, props: Props, scope: Construct, name: str) -> Props:
        path = f"{scope.node.path}/{name}"
        root = injected_props.root_device(props, self.root_device_name)
        tokens = ec2.LaunchTemplateHttpTokens.REQUIRED
        _report(scope, injected_props.metadata_options(props, tokens, path))
        _report(scope, injected_props.block_devices(props, root, scope, path))
        props.setdefault("detailedMonitoring", True)
        if props.get("httpEndpoint") is not False:
            self._harden_host(props, scope, name)
        if "machineImage" in props:
            self._warn_of_root(props, root, scope, name)
        return props

    def _auto_scaling_group(self, props: Props, scope: Construct, name: str) -> Props:
        if not injected_props.fleet(props):
            return props
        path = f"{scope.node.path}/{name}"
        root = injected_props.root_device(props, self.root_device_name)
        _report(scope, injected_props.block_devices(props, root, scope, path))
        self._close_inner_group(props, scope, name)
        self._warn_of_root(props, root, scope, name)
        # Its own launch template, if CDK creates one, goes through that template's injector.
        self.finish.later(scope, name, _limit_hops)
        hardening = self._hardening_of(props, scope, path)
        if not isinstance(props.get("userData"), HardenedUserData) and hardening:
            self.finish.later(
                scope, name, partial(_harden_launch_configuration, hardening=hardening)
            )
        return props

    def _security_group(self, props: Props, scope: Construct, name: str) -> Props:
        if self.egress_ports is not None and "allowAllOutbound" not in props:
            props["allowAllOutbound"] = False
            self.finish.later(scope, name, self._open_egress)
        return props

    def _volume(self, props: Props, scope: Construct, name: str) -> Props:
        _report(scope, injected_props.volume(props, f"{scope.node.path}/{name}"))
        return props

    def _vpc(self, props: Props, _scope: Construct, _name: str) -> Props:
        injected_props.network(props, flow_logs=self.flow_logs)
        return props

    def _warn_of_root(self, props: Props, root: str | None, scope: Construct, name: str) -> None:
        named = {device["deviceName"] for device in props.get("blockDevices", [])}
        if root is None and not named & ROOT_DEVICES:
            self.finish.later(scope, name, warn_root_device_unknown)

    def _close_inner_group(self, props: Props, scope: Construct, name: str) -> None:
        if self.egress_ports is None or "securityGroup" in props or "allowAllOutbound" in props:
            return
        props["allowAllOutbound"] = False
        self.finish.later(scope, name, self._open_inner_egress)

    def _open_inner_egress(self, construct: IConstruct) -> None:
        group = construct.node.try_find_child(_INNER_GROUP)
        if group is not None:
            self._open_egress(group)

    def _open_egress(self, group: IConstruct) -> None:
        if not isinstance(group, ec2.SecurityGroup):
            return
        for port in self.egress_ports or ():
            group.add_egress_rule(ec2.Peer.any_ipv4(), tcp(port), "Default egress")
        # Without any rule CDK would write one to 255.255.255.255; this one grants nothing new.
        group.add_egress_rule(*time_sync(), TIME_SYNC)

    def _harden_host(self, props: Props, scope: Construct, name: str) -> None:
        if isinstance(props.get("userData"), HardenedUserData):
            return
        hardening = self._hardening_of(props, scope, f"{scope.node.path}/{name}")
        if hardening is None:
            return
        reads_cloud_init = injected_props.root_device(props, None) is not None
        action = _harden_known_host if reads_cloud_init else _harden_script
        self.finish.later(scope, name, partial(action, hardening=hardening))

    def _hardening_of(self, props: Props, scope: Construct, path: str) -> HostHardening | None:
        """Return the hardening of a server, which follows its image where none is given."""
        image = props.get("machineImage")
        try:
            return hardening_of_server(image, self.host_hardening, Imds())[0]
        except ValueError as reason:
            another_hardening(path, reason).add_to(scope)
            return None


def _harden_known_host(construct: IConstruct, *, hardening: HostHardening) -> None:
    server = construct.node.default_child
    if isinstance(server, ec2.CfnInstance | ec2.CfnLaunchTemplate):
        prepend_hardening(server, hardening)


def _harden_script(construct: IConstruct, *, hardening: HostHardening) -> None:
    """Harden a host with an unknown image, but only if its user data is a script."""
    if isinstance(construct, ec2.LaunchTemplate) and construct.user_data is None:
        Annotations.of(construct).add_warning_v2(
            NOT_PREPENDED,
            "the hosts are not hardened at boot: the template has no user data, and its image is "
            "unknown. Write user_data=HardenedUserData(HostHardening()) if the image is a Linux "
            "with cloud-init",
        )
        return
    _harden_known_host(construct, hardening=hardening)


def _harden_launch_configuration(group: IConstruct, *, hardening: HostHardening) -> None:
    configuration = _launch_configuration(group)
    if configuration is not None:
        prepend_hardening(configuration, hardening)


def _report(scope: Construct, conflicts: Sequence[Conflict]) -> None:
    for conflict in conflicts:
        conflict.add_to(scope)


def _launch_configuration(group: IConstruct) -> autoscaling.CfnLaunchConfiguration | None:
    child = group.node.try_find_child("LaunchConfig")
    return child if isinstance(child, autoscaling.CfnLaunchConfiguration) else None


def _limit_hops(group: IConstruct) -> None:
    """Set a launch configuration's hop limit, for which `AutoScalingGroup` has no prop."""
    configuration = _launch_configuration(group)
    if configuration is not None and configuration.metadata_options is None:
        options = autoscaling.CfnLaunchConfiguration.MetadataOptionsProperty(
            http_tokens="required", http_put_response_hop_limit=1
        )
        configuration.metadata_options = options


def _refuse_late(scope: Construct) -> None:
    made = next((each for each in scope.node.find_all() if isinstance(each, _CONSTRUCTS)), None)
    if made is not None:
        raise ValueError(
            f"{made.node.path} was created before the defaults were attached, so they do not apply "
            "to it: attach them right after the app is created, or harden existing constructs with "
            "with_(HardenInstance(), HardenVolume(), HardenSecurityGroup())"
        )
