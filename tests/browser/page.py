"""The pages under test, and what a test asks of one."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome

from hardened_ec2.policy.judging.collection import Collection
from hardened_ec2.policy.judging.verdict import verdict
from hardened_ec2.policy.read.template import UnreadableTemplate
from hardened_ec2.policy.report.html import as_html
from tests.unit.lab.test_report import filled, report
from tests.unit.policy.facts.test_access import BALANCER, FROM_BALANCER, PUBLIC
from tests.unit.policy.templates import (
    IDENTITY,
    NETWORK,
    SOUND,
    get_att,
    group,
    instance,
    ref,
    resource,
    rule,
    server_with,
    template,
)

NAMES = ("مجموعة\u202eأمن", "安全组" * 60, "L" * 3000, "<script>alert(1)</script>\"'&{{ 7 * 7 }}")


def _insecure() -> dict[str, Any]:
    halves = (rule("0.0.0.0/1"), rule("128.0.0.0/1", ports=(20, 25)))
    return {**server_with(*halves), **PUBLIC}


def _fleet() -> dict[str, Any]:
    closed = [get_att("ClosedGroup", "GroupId")]
    database = [get_att("DatabaseGroup", "GroupId"), "sg-0123456789abcdef0"]
    from_web = rule(ports=(5432, 5432), SourceSecurityGroupId=get_att("Group", "GroupId"))
    return {
        **server_with(FROM_BALANCER, rule("10.0.0.0/16", ports=(9100, 9100))),
        **BALANCER,
        "ClosedGroup": group(),
        "Closed": instance(SecurityGroupIds=closed),
        "DatabaseGroup": group(from_web, rule(ref("Office")), rule("203.0.113.0/28")),
        "Database": instance(SecurityGroupIds=database, KeyName="old"),
        "Launch": resource("EC2::LaunchTemplate", LaunchTemplateData={"SecurityGroupIds": closed}),
    }


def _hostile() -> dict[str, Any]:
    groups = {name: group(rule("0.0.0.0/0", ports=(22, 9000))) for name in NAMES}
    attached = [get_att(name, "GroupId") for name in NAMES]
    servers = {
        f"{name}!": instance(SecurityGroupIds=attached, SubnetId=name, KeyName=name)
        for name in NAMES
    }
    return {**NETWORK, **IDENTITY, **groups, **servers}


def _many() -> dict[str, Any]:
    groups = {f"Group{n}": group(rule(f"198.51.100.{n}/32")) for n in range(60)}
    servers = {
        f"Server{n}": instance(SecurityGroupIds=[get_att(f"Group{n % 60}", "GroupId")], KeyName="x")
        for n in range(300)
    }
    return {**SOUND, **groups, **servers}


def _judged(resources: Mapping[str, Any], *unreadable: UnreadableTemplate) -> str:
    given = template(resources, Parameters={"Office": {"Type": "String"}})
    return as_html(verdict(Collection(templates=(given,), unreadable=unreadable)))


PAGES: Mapping[str, Callable[[], str]] = {
    "sound": lambda: _judged(SOUND),
    "insecure": lambda: _judged(_insecure()),
    "fleet": lambda: _judged(_fleet()),
    "hostile": lambda: _judged(_hostile(), *(UnreadableTemplate(n, n) for n in NAMES)),
    "many": lambda: _judged(_many()),
    # The evidence of `make proof`, from figures that no server was booted for.
    "proof": lambda: report(filled()),
}


class Page:
    """A page in the browser."""

    def __init__(self, browser: Chrome, file: Path) -> None:
        self.browser = browser
        self.file = file

    def open(self) -> None:
        self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
        self.console()  # what was said before
        self.browser.get(self.file.as_uri())

    def console(self) -> list[Any]:
        """Return what the console said since it was asked last."""
        entries: list[Any] = self.browser.get_log("browser")  # type: ignore[no-untyped-call]
        return entries

    def run(self, script: str, *arguments: object) -> Any:  # noqa: ANN401 - what the script returns
        return self.browser.execute_script(script, *arguments)

    def resize(self, width: int, media: str = "screen") -> None:
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media})

    def prefer(self, scheme: str) -> None:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def opened(browser: Chrome, folder: Path, name: str) -> Page:
    """Open one of `PAGES`, which is made when it is first asked for."""
    file = folder / f"{name}.html"
    if not file.exists():
        file.write_text(PAGES[name](), "utf-8")
    page = Page(browser, file)
    page.open()
    return page
