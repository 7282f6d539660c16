"""HostHardening: what it takes, what it refuses, and what it says then."""

import dataclasses
import email
import re
import string
import subprocess
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardened_ec2.host import (
    CONTROLS,
    USER_DATA_LIMIT,
    AllowTcpForwarding,
    HostHardening,
    LifecycleSignal,
    Profile,
    ResourceSignal,
    user_data_size,
)
from hardened_ec2.host.program import packed, program

LETTERS = string.ascii_letters + "_"
LOGINS = st.builds(
    str.__add__,
    st.sampled_from(LETTERS),
    st.text(st.sampled_from(LETTERS + string.digits + ".-"), max_size=31),
)
QUICK = settings(max_examples=30, deadline=None)
UIDS = st.integers(0, 2**32 - 3).map(str)


def test_the_page_states_the_bytes_that_are_left_for_commands() -> None:
    page = (Path(__file__).parents[3] / "docs/USER_DATA.md").read_text("utf-8")
    stated = re.findall(r"^\| `(\w+)`.* \| ([\d,]+) \| ([\d,]+) \|$", page, re.MULTILINE)
    shebang = "#!/bin/bash\n"
    assert stated == [
        (
            profile,
            f"{USER_DATA_LIMIT - len(HostHardening(profile=profile).compress(shebang)):,}",
            f"{USER_DATA_LIMIT - len(HostHardening(profile=profile).render(shebang)):,}",
        )
        for profile in get_args(Profile)
    ]


def test_any_sequence_becomes_a_tuple_without_repetitions() -> None:
    hardening = HostHardening(admin_users=["a", "b", "a"], imds_users=("app", "1001"))
    assert hardening.admin_users == ("a", "b")
    assert hardening.imds_users == ("app", "1001")


def test_equal_hardenings_are_equal_and_hashable() -> None:
    assert {HostHardening(admin_users=["a"]), HostHardening(admin_users=("a",))} == {
        HostHardening(admin_users=["a"])
    }


def test_it_is_frozen_and_keyword_only() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        HostHardening().admin_users = ("x",)  # type: ignore[misc]
    with pytest.raises(TypeError):
        HostHardening("strict")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("admin_users", "ec2-user", r"string 'ec2-user': .* write admin_users=\['ec2-user'\]"),
        ("imds_users", "app", r"string 'app': .* write imds_users=\['app'\]"),
        ("imds_users", b"app", r"is b'app': a list or tuple of strings is allowed"),
        ("imds_users", None, r"is None: a list or tuple of strings is allowed"),
        ("imds_users", [1001], r"contains 1001: only strings .* write imds_users=\['1001'\]"),
        ("admin_users", ["root"], r"contains 'root': root never logs in over SSH; write"),
        ("admin_users", ["1001"], r"contains '1001': a user name has 1 to 32 letters"),
        ("admin_users", ["a b"], r"contains 'a b': a user name has"),
        ("admin_users", ["x'; reboot #"], r"a user name has"),
        ("admin_users", ["$(id)"], r"a user name has"),
        ("admin_users", ["-x"], r"begins with a letter"),
        ("admin_users", ["a\n"], r"a user name has"),
        ("admin_users", [""], r"contains '': a user name has"),
        ("admin_users", ["a" * 33], r"1 to 32"),
        ("admin_users", ["é"], r"a user name has"),
        ("imds_users", ["0x1f"], r"a uid is a number from 0 to 4294967293"),
        ("imds_users", ["007"], r"without leading zeros; write"),
        ("imds_users", ["4294967294"], r"a uid is a number from 0 to 4294967293"),
        ("imds_users", ["1\n"], r"a uid is"),
        ("imds_users", ["${Token[TOKEN.1]}"], r"a user name has"),
        ("allow_tcp_forwarding", "maybe", r"'maybe': 'yes', 'local', 'remote' or 'no' is allowed"),
        ("allow_tcp_forwarding", True, r"is True: 'yes'"),
        (
            "profile",
            "paranoid",
            r"is 'paranoid': 'core', 'baseline' or 'strict' is allowed; write profile=",
        ),
        ("profile", None, r"is None: 'core', 'baseline' or 'strict'"),
        ("admin_groups", ["a b"], r"'a b': a group name .* /etc/group, admin_groups=\['wheel'\]"),
        (
            "imds_containers",
            ["docker 0"],
            r"an interface name has 1 to 15 .* imds_containers=\['docker0'\]",
        ),
        ("imds_containers", ["172.17.0.1/16"], r"not a CIDR block .*host bits"),
        ("imds_containers", ["0.0.0.0/0"], r"which is every address: write the containers' own"),
        ("imds_containers", ["::/0"], r"which is every address"),
        ("imds_containers", ["FD00::/64"], r"write it as 'fd00::/64'"),
        ("imds_containers", ["::ffff:10.0.0.0/104"], r"write it as"),
        ("imds_containers", ["x/y"], r"not a CIDR block"),
        ("imds_containers", ["a;b"], r"an interface name has"),
        ("open_ports", ["443"], r"contains '443': a port is a number .* open_ports=\['443/tcp'\]"),
        ("open_ports", ["0/tcp"], r"a port is a number from 1 to 65535"),
        ("open_ports", ["65536/tcp"], r"a port is a number from 1 to 65535"),
        ("open_ports", ["443/tcp;"], r"a port is"),
        ("open_ports", ["0443/tcp"], r"a port is"),
        ("open_ports", ["443/sctp"], r"tcp or udp"),
        ("open_ports", "443/tcp", r"write open_ports=\['443/tcp'\]"),
        ("x11_forwarding", "yes", r"is 'yes': only True or False is allowed"),
        ("ipv6", None, r"ipv6 is None: only True or False"),
        ("automatic_updates", 1, r"is 1: only True or False"),
        ("audit", "no", r"is 'no': only True or False"),
        ("banner", "caf\xe9", r"printable ASCII and line breaks"),
        ("banner", "\x1b[2J", r"terminals interpret other characters"),
        ("banner", None, r"banner is None"),
        ("banner", "--==hardened-ec2==", r"the boundary between the parts"),
        ("banner", "${Token[TOKEN.1]}", r"or a CDK token"),
        ("without", ["sshd-modulo"], r"'sshd-modulo' is not a host control: .* imds-lock, install"),
        (
            "without",
            ["sshd"],
            r"'sshd', a core control, which cannot be left out: remove it from without, or write",
        ),
        ("without", "sudo-pty", r"write without=\['sudo-pty'\]"),
    ],
)
def test_a_wrong_value_is_refused_with_what_to_write(
    field: str, value: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        HostHardening(**{field: value})  # type: ignore[arg-type]


@QUICK
@given(admins=st.lists(LOGINS.filter(lambda name: name != "root"), max_size=3))
def test_every_login_name_arrives_in_the_text(admins: list[str]) -> None:
    text = HostHardening(admin_users=admins).render()
    assert f"\nADMIN_USERS='{' '.join(dict.fromkeys(admins))}'\n" in text


@QUICK
@given(users=st.lists(LOGINS | UIDS, max_size=3))
def test_every_user_of_the_metadata_arrives_in_the_text(users: list[str]) -> None:
    text = HostHardening(imds_users=users).render()
    assert f"\nIMDS_USERS='{' '.join(dict.fromkeys(users))}'\n" in text


@QUICK
@given(name=st.text(min_size=1))
def test_no_name_reaches_the_shell_but_a_plain_one(name: str) -> None:
    try:
        HostHardening(imds_users=[name])
    except ValueError as refusal:
        assert repr(name) in str(refusal)  # noqa: PT017 # whether it raises is the question
    else:
        assert name.isascii()
        assert name.replace("-", "a").replace(".", "a").replace("_", "a").isalnum()


def test_every_forwarding_that_sshd_knows() -> None:
    for value in get_args(AllowTcpForwarding):
        text = HostHardening(allow_tcp_forwarding=value).render()
        assert f"\nALLOW_TCP_FORWARDING='{value}'\n" in text


def test_the_same_input_gives_the_same_bytes_and_another_does_not() -> None:
    def render(*users: str) -> str:
        return HostHardening(imds_users=users).render("#!/bin/sh\nid\n")

    assert render("app") == render("app")
    assert render("app") != render("web")


@pytest.mark.parametrize("profile", get_args(Profile))
def test_every_profile_leaves_room_for_commands(profile: Profile) -> None:
    assert (
        USER_DATA_LIMIT - user_data_size(HostHardening(profile=profile).render()) >= ROOM[profile]
    )
    assert USER_DATA_LIMIT == 16_384


def variables(hardening: HostHardening) -> dict[str, str]:
    """Return the options as the server's shell reads them."""
    boothook = email.message_from_string(hardening.render()).get_payload(0)
    assert not isinstance(boothook, str)
    head = str(boothook.get_payload()).split("SHA256=")[0]
    names = re.findall(r"^([A-Z][A-Z0-9_]*)='", head, re.MULTILINE)
    script = head + "".join(f'printf "%s\\0" {name} "${name}"\n' for name in names)
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True)
    found = done.stdout.split("\0")
    return dict(zip(found[::2], found[1::2], strict=False))


def test_the_defaults_of_the_options() -> None:
    assert variables(HostHardening()) == {
        "PROFILE": "baseline",
        "ADMIN_USERS": "",
        "ADMIN_GROUPS": "",
        "IMDS_USERS": "",
        "IMDS_CONTAINERS": "",
        "OPEN_PORTS": "",
        "ALLOW_TCP_FORWARDING": "yes",
        "X11_FORWARDING": "no",
        "IPV6": "yes",
        "AUTOMATIC_UPDATES": "yes",
        "AUDIT": "no",
        "BANNER": "",
        "WITHOUT": "",
    }


def test_strict_forwards_nothing_and_audits_unless_told_otherwise() -> None:
    strict = variables(HostHardening(profile="strict"))
    assert (strict["ALLOW_TCP_FORWARDING"], strict["AUDIT"]) == ("no", "yes")
    told = variables(HostHardening(profile="strict", allow_tcp_forwarding="local", audit=False))
    assert (told["ALLOW_TCP_FORWARDING"], told["AUDIT"]) == ("local", "no")


def test_every_option_arrives_as_it_was_given() -> None:
    found = variables(
        HostHardening(
            profile="baseline",
            admin_groups=["wheel", "ops"],
            imds_containers=["docker0", "172.17.0.0/16", "fd00::/64"],
            open_ports=["443/tcp", "53/udp"],
            x11_forwarding=True,
            ipv6=False,
            automatic_updates=False,
            audit=True,
            banner='Don\'t.\n$(id) `id` "x" \\\n',
        )
    )
    assert found["ADMIN_GROUPS"] == "wheel ops"
    assert found["IMDS_CONTAINERS"] == "docker0 172.17.0.0/16 fd00::/64"
    assert found["OPEN_PORTS"] == "443/tcp 53/udp"
    assert (found["X11_FORWARDING"], found["IPV6"]) == ("yes", "no")
    assert (found["AUTOMATIC_UPDATES"], found["AUDIT"]) == ("no", "yes")
    assert found["BANNER"] == 'Don\'t.\n$(id) `id` "x" \\\n'


def names(hardening: HostHardening) -> list[str]:
    return [control.name for control in hardening.controls]


@pytest.mark.parametrize("profile", get_args(Profile))
def test_the_controls_of_a_profile_in_the_order_of_application(profile: Profile) -> None:
    wanted = [control.name for control in CONTROLS if profile in control.profiles]
    assert names(HostHardening(profile=profile)) == wanted
    steps = " ".join(control.step for control in CONTROLS if profile in control.profiles)
    assert program(profile).startswith(f"STEPS='{steps}'\n")
    assert variables(HostHardening(profile=profile))["WITHOUT"] == ""


def test_a_control_is_left_out_by_name() -> None:
    left_out = HostHardening(profile="baseline", without=["sudo-pty"])
    baseline = names(HostHardening(profile="baseline"))
    assert set(baseline) - set(names(left_out)) == {"sudo-pty"}
    assert variables(left_out)["WITHOUT"] == "sudo-pty"


def test_controls_with_an_option_of_their_own() -> None:
    assert "audit-rules" in names(HostHardening(audit=True))
    assert "audit-rules" not in names(HostHardening(profile="strict", audit=False))
    assert "security-updates" not in names(
        HostHardening(profile="baseline", automatic_updates=False)
    )
    assert "security-updates" not in names(HostHardening(profile="core"))
    assert "audit-rules" not in names(HostHardening(audit=True, without=["audit-rules"]))


def test_a_control_that_baseline_has_not_comes_with_the_program_that_has_it() -> None:
    audited = HostHardening(audit=True)
    assert packed("strict") in audited.render()
    strict = names(HostHardening(profile="strict"))
    left_out = variables(audited)["WITHOUT"].split()
    assert [name for name in strict if name not in left_out] == names(audited)
    assert packed("baseline") in HostHardening().render()
    assert packed("core") in HostHardening(profile="core").render()


@pytest.mark.parametrize(
    ("option", "value"), [("open_ports", ["443/tcp"]), ("banner", "Keep out."), ("ipv6", False)]
)
def test_an_option_that_core_does_not_heed_is_refused(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"{option} is .* with profile='core', which has no"):
        HostHardening(profile="core", **{option: value})  # type: ignore[arg-type]
    assert HostHardening(**{option: value})  # type: ignore[arg-type]


def test_users_and_groups_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="write one of the two"):
        HostHardening(admin_users=["a"], admin_groups=["b"])


def test_a_signal_names_the_resource() -> None:
    signal = ResourceSignal(stack="Shop", resource="${Token[TOKEN.7]}", region="eu-west-1")
    text = HostHardening().render(signal=signal)
    wanted = "--stack Shop --resource ${Token[TOKEN.7]} --region eu-west-1"
    assert f"\nSIGNAL='{wanted}'\n" in text
    assert "SIGNAL=" not in HostHardening().render()


@pytest.mark.parametrize("value", ["", "a b", "a'b", "$(id)", "${Token[a'b]}", "x${Token[A.1]}", 7])
def test_a_signal_takes_names_only(value: str) -> None:
    with pytest.raises(ValueError, match="letters, digits and '-' are allowed"):
        ResourceSignal(stack=value, resource="Server", region="eu-west-1")


def test_a_signal_names_the_hook_of_the_group() -> None:
    signal = LifecycleSignal(group="${Token[AWS.StackName.3]}-Web", hook="hardening")
    text = HostHardening().render(signal=signal)
    wanted = (
        "--auto-scaling-group-name ${Token[AWS.StackName.3]}-Web --lifecycle-hook-name hardening"
    )
    assert f"\nSIGNAL='{wanted}'\n" in text
    assert "complete-lifecycle-action" in text
    assert "cfn-signal" not in text
    assert LifecycleSignal(group="a", hook="b", region="eu-west-1").arguments.endswith(
        "--region eu-west-1"
    )


@pytest.mark.parametrize("value", ["", "a b", "a;b", "a:b", "$(id)", "${Token[a'b]}", 7, None])
def test_a_signal_takes_a_group_by_its_name_only(value: str) -> None:
    with pytest.raises(ValueError, match=r"group is .*: letters, digits.*write group='Shop-Web'"):
        LifecycleSignal(group=value, hook="hardening")
    with pytest.raises(ValueError, match=r"hook is .*: letters, digits.*write hook='hardening'"):
        LifecycleSignal(group="Web", hook=value)


def test_a_signal_takes_a_region_by_its_name_only() -> None:
    with pytest.raises(ValueError, match="region is 'eu west': letters, digits and '-' are"):
        LifecycleSignal(group="Web", hook="hardening", region="eu west")


def test_size_is_in_bytes_and_tokens_count_as_nothing() -> None:
    assert user_data_size("é") == 2
    assert user_data_size("a${Token[TOKEN.12]}b${Token[AWS.Region.4]}") == 2
    assert user_data_size("${not a token}") == 14


# What every change of the payload is measured against: a server's own commands need room. The aim
# is 4,096 in every profile; what is here is what is left today, so that no change takes more.
# Strict with commands goes as gzip, which leaves them that much.
ROOM = {"core": 5_500, "baseline": 2_250, "strict": 0}
