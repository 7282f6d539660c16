"""HardenedEc2Defaults: an app that is there already, safe by default."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

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
from hardened_ec2.policy.rules.storage import ROOT_DEVICES
from hardened_ec2.retrofit import injected_props
from hardened_ec2.retrofit.conflicts import Conflict
from hardened_ec2.retrofit.existing_user_data import NOT_PREPENDED
from hardened_ec2.retrofit.injected_props import Props
from hardened_ec2.retrofit.mixins import (
    DEFAULT_HARDENING,
    HTTPS,
    check_hardening,
    check_ports,
    prepend_hardening,
    warn_root_device_unknown,
)
from hardened_ec2.servers.user_data import HardenedUserData

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
"""The id that CDK gives to the group it makes inside an instance or an Auto Scaling group."""


class HardenedEc2Defaults:
    """Makes CDK's own EC2 constructs safe by default, without a change where they are used.

    It works on every plain `ec2.Instance`, `ec2.BastionHostLinux`, `ec2.LaunchTemplate`,
    `ec2.SecurityGroup`, `ec2.Volume`, `ec2.Vpc` and `autoscaling.AutoScalingGroup` that is made
    below the scope after it was attached, also on those that CDK makes inside others (the instance
    in a bastion, the capacity of an ECS cluster). The precedence is: defaults, then what the app
    says, then guarantees.

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

    An app that says the opposite of a guarantee (``http_tokens=OPTIONAL``, ``encrypted=False``)
    is refused at synth with the place and what to write. Everything that is the app's own decision
    is left to it, and `HardenedEc2Checks` reports it: ports that are open, public addresses that
    are asked for, key pairs, secrets, images whose root device nobody knows, raw L1 resources.

    What is written changes servers that are running: a block device mapping replaces an instance.
    Read docs/migration.md before you deploy.
    """

    @staticmethod
    def attach(
        scope: Construct,
        *,
        host_hardening: HostHardening | None = DEFAULT_HARDENING,
        root_device_name: str | None = None,
        egress_ports: Sequence[int] | None = HTTPS,
        flow_logs: bool = True,
    ) -> None:
        """Attach the defaults to a scope: an app, a stage, a stack or any construct.

        What is attached nearest to a construct holds for it, so a stack can have other settings
        than its app.

        Args:
            scope: Where to attach them. Do it before anything is made there.
            host_hardening: What to do on the hosts. Default: `HostHardening()`. None for images
                that carry it.
            root_device_name: The root device of images that are not Amazon Linux. Default: the
                root volume of such images is left to the image, and the pack reports it. A wrong
                name would add an empty second volume.
            egress_ports: The TCP ports, to anywhere, of groups whose code says nothing about
                egress. Default: 443, which Session Manager, AWS services and packages need.
                None leaves such groups as CDK makes them: open.
            flow_logs: Whether a VPC that names no flow log gets one, in a CloudWatch log group of
                its own ($0.50 for each GB). Default: True.

        Raises:
            ValueError: If something was made below the scope before, if the scope has property
                injectors for one of the constructs already, or an argument is wrong.

        Source: AWS CDK, "Property injectors"; Security Hub EC2.2, EC2.3, EC2.6, EC2.8, EC2.15.

        Example::

            app = cdk.App()
            HardenedEc2Defaults.attach(app)
            cdk.Validations.of(app).add_plugins(HardenedEc2Checks(app))
            TheTeamsStack(app, "Shop")
        """
        if not isinstance(scope, Construct):
            raise ValueError(f"scope is {scope!r}: write HardenedEc2Defaults.attach(app)")
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
                    f"{construct.__name__} already, and CDK keeps one: attach the defaults to a "
                    "scope above or below it. The nearest injector holds, so where it does, call "
                    "with_(HardenInstance(), HardenVolume(), HardenSecurityGroup()) as well"
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
    """What can only be done once a construct is there, done before the templates are written.

    One Aspect a stack, since an Aspect of an app does not reach into its stages.
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

    def visit(self, node: IConstruct) -> None:  # noqa: ARG002 - the first visit does it all
        pending, self._pending = self._pending, []
        for scope, name, action in pending:
            construct = scope.node.try_find_child(name)
            if construct is not None:
                action(construct)


@dataclass(frozen=True, kw_only=True)
class _Defaults:
    """The settings of one attachment, and what they do to each construct."""

    host_hardening: HostHardening | None
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
        # A launch template inside it is injected itself.
        self.finish.later(scope, name, _limit_hops)
        if not isinstance(props.get("userData"), HardenedUserData) and self.host_hardening:
            self.finish.later(scope, name, self._harden_launch_configuration)
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
            group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(port), "Default egress")
        # Without any rule CDK would write one to 255.255.255.255; this one grants nothing new.
        group.add_egress_rule(
            ec2.Peer.ipv4("169.254.169.123/32"),
            ec2.Port.udp(123),
            "NTP to the Amazon Time Sync Service",
        )

    def _harden_host(self, props: Props, scope: Construct, name: str) -> None:
        if self.host_hardening is None or isinstance(props.get("userData"), HardenedUserData):
            return
        reads_cloud_init = injected_props.root_device(props, None) is not None
        self.finish.later(
            scope, name, self._harden_known_host if reads_cloud_init else self._harden_script
        )

    def _harden_known_host(self, construct: IConstruct) -> None:
        server = construct.node.default_child
        if self.host_hardening and isinstance(server, ec2.CfnInstance | ec2.CfnLaunchTemplate):
            prepend_hardening(server, self.host_hardening)

    def _harden_script(self, construct: IConstruct) -> None:
        """Harden a host whose image could be any: only where it is given a script already."""
        if isinstance(construct, ec2.LaunchTemplate) and construct.user_data is None:
            Annotations.of(construct).add_warning_v2(
                NOT_PREPENDED,
                "the hardening is not in the user data, since there are none and the image could "
                "be any: nothing hardens these hosts at boot. Write "
                "user_data=HardenedUserData(HostHardening()) if the image is a Linux with "
                "cloud-init",
            )
            return
        self._harden_known_host(construct)

    def _harden_launch_configuration(self, group: IConstruct) -> None:
        configuration = _launch_configuration(group)
        if configuration is not None and self.host_hardening:
            prepend_hardening(configuration, self.host_hardening)


def _report(scope: Construct, conflicts: Sequence[Conflict]) -> None:
    for conflict in conflicts:
        conflict.add_to(scope)


def _launch_configuration(group: IConstruct) -> autoscaling.CfnLaunchConfiguration | None:
    child = group.node.try_find_child("LaunchConfig")
    return child if isinstance(child, autoscaling.CfnLaunchConfiguration) else None


def _limit_hops(group: IConstruct) -> None:
    """Write the hop limit of a launch configuration, which `AutoScalingGroup` has no word for."""
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
            f"{made.node.path} was made before the defaults were attached, so they do not reach "
            "it: attach them right after the app is made, or harden what is there with "
            "with_(HardenInstance(), HardenVolume(), HardenSecurityGroup())"
        )
