"""HardenedEc2Checks: the policy as a cdk-nag pack, which loads cdk-nag when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hardened_ec2.policy.settings import Settings
from hardened_ec2.support.signature import own_signature

__all__ = ["DEFAULT_SETTINGS", "HardenedEc2Checks"]

DEFAULT_SETTINGS = Settings()

if TYPE_CHECKING:
    from constructs import IConstruct

    from hardened_ec2.nag.pack import HardenedEc2Checks
else:

    def _pack() -> type:
        # Node takes a quarter of a second and 30 MB to load cdk-nag.
        from hardened_ec2.nag import pack  # noqa: PLC0415

        return pack.HardenedEc2Checks

    class _LoadedOnUse(type):
        """The type of `HardenedEc2Checks`, a class that stands for the pack until it is used."""

        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            # A subclass is one of the pack itself.
            return type(_pack())(name, (_pack(),), namespace)

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - those of the pack
            return _pack()(*args, **kwargs)

        def __getattr__(cls, name: str) -> Any:  # noqa: ANN401 - those of the pack
            if name.startswith("__"):  # what inspect and the import system ask every class
                raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
            return getattr(_pack(), name)

        def __dir__(cls) -> list[str]:
            return dir(_pack())

        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, _pack())

        def __subclasscheck__(cls, subclass: type) -> bool:
            return subclass is cls or issubclass(subclass, _pack())

    @own_signature
    class HardenedEc2Checks(metaclass=_LoadedOnUse):
        """A cdk-nag pack that fails the synth when a template exposes a server, a secret or data.

        It reads the rendered templates, including nested stacks, so property overrides, raw
        ``CfnResource`` and changes by Aspects are judged as well. Errors fail the synth; warnings
        fail it only with ``cdk synth --strict``. In an app with stages, ``cdk synth`` validates the
        top-level stacks only: write ``cdk synth '**'``. ``cdk deploy`` validates every stack that
        it deploys.

        Acknowledge a finding that is right for your design on its construct, with the reason:
        ``Validations.of(server).acknowledge(Acknowledgment(id="HardenedEc2::HardenedEc2-KeyPair",
        reason="..."))``. The validation report keeps it, with that reason.

        Source: cdk-nag, "NagPack"; AWS CDK, "Policy validation at synthesis time".

        Example::

            app = cdk.App()
            cdk.Validations.of(app).add_plugins(HardenedEc2Checks(app))
        """

        def __init__(
            self, scope: IConstruct | None = None, *, settings: Settings = DEFAULT_SETTINGS
        ) -> None:
            """Create the pack.

            Args:
                scope: The construct whose stacks are judged. Default: the whole app.
                settings: Thresholds, such as the most addresses in an SSH whitelist. Default:
                    `Settings()`.
            """
