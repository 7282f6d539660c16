from typing import Any

import pytest

from hardened_ec2.policy import Settings
from hardened_ec2.policy.ports import ADMINISTRATIVE_PORTS, port_names


def test_the_defaults_are_those_of_the_constructs() -> None:
    settings = Settings()
    assert settings.whitelist_width == 256
    assert settings.administrative_ports is ADMINISTRATIVE_PORTS
    assert settings.public_ports == {80, 443}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"whitelist_width": 0}, "whitelist_width is 0: write a whole number of addresses"),
        ({"whitelist_width": "256"}, "whitelist_width is '256': write a whole number"),
        ({"whitelist_width": True}, "whitelist_width is True: write a whole number"),
        ({"public_ports": {70000}}, "public_ports holds 70000: write port numbers from 0 to 65535"),
        ({"public_ports": {"443"}}, "public_ports holds '443': write port numbers"),
        ({"administrative_ports": {-1: "x"}}, "administrative_ports holds -1: write port numbers"),
        (
            {"public_ports": {22}},
            "port 22 is in both administrative_ports and public_ports: .*so write it in one of",
        ),
    ],
)
def test_a_wrong_setting_is_refused_with_what_to_write(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Settings(**given)


def test_a_setting_cannot_be_changed_afterwards() -> None:
    ports = {443}
    settings = Settings(public_ports=ports)  # type: ignore[arg-type]
    ports.add(8443)
    assert settings.public_ports == {443}


def test_administrative_ports_cannot_be_changed_behind_the_settings() -> None:
    with pytest.raises(TypeError):
        ADMINISTRATIVE_PORTS[8080] = "x"  # type: ignore[index]


def test_ports_are_named_in_order() -> None:
    assert port_names([3389, 22, 7]) == "7, 22 (SSH), 3389 (RDP)"


@pytest.mark.parametrize("port", [22, 23, 3389, 5900, 5985, 5986, 2375, 2376, 10250])
def test_what_gives_a_shell_is_administrative(port: int) -> None:
    assert port in ADMINISTRATIVE_PORTS


@pytest.mark.parametrize("port", [80, 443, 3306, 5432, 1433, 6379, 27017])
def test_what_gives_data_is_not(port: int) -> None:
    assert port not in ADMINISTRATIVE_PORTS
