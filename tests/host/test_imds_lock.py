"""The metadata lock, with real packets: who reaches the metadata service, and who does not."""

import pytest

from tests.host.boot import BOOTHOOK, boot, core, run, run_command
from tests.host.machine import Machine
from tests.host.metadata_lab import METADATA, NEIGHBOURS, MetadataLab
from tests.host.ssh_host import ssh_host

pytestmark = [pytest.mark.host, pytest.mark.payload]

ALL = {*METADATA, *NEIGHBOURS}
NOBODY = 65534
APP = 4321
SELF = "/usr/local/sbin/hardened-ec2"


def break_nft(host: Machine) -> None:
    """A kernel without nf_tables: nft is there and refuses."""
    host.write("/run/nft", "#!/bin/sh\necho 'Protocol not supported' >&2\nexit 1\n", 0o755)
    host.sh("mount --bind /run/nft /usr/sbin/nft")


def lock(host: Machine, *imds_users: str) -> str:
    """Run the loader out of the delivered text; return the layer that it says holds."""
    done = run_command(host, core(imds_users=imds_users), "imds-lock")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def assert_locked(lab: MetadataLab, *, allowed: tuple[int, ...] = ()) -> None:
    for uid in (0, *allowed):
        assert lab.reached(*ALL, uid=uid) == ALL, uid
    for uid in {NOBODY, APP} - set(allowed):
        probes = lab.probe(*ALL, uid=uid)
        assert {a for a, p in probes.items() if p.answer == "open"} == set(NEIGHBOURS), uid
        # At once: a client that hangs is a service that stalls.
        assert {p.answer for a, p in probes.items() if a in METADATA} <= {"refused", "prohibited"}
        # A dropped packet is sent again after a second; an ICMP refusal over IPv6 takes as long.
        assert max(p.seconds for p in probes.values()) < 0.9
    assert lab.reached(*ALL, where=lab.container) == set(NEIGHBOURS)


LAYERS = {"nftables": "nftables", "nft missing": "ip rules", "nft refuses": "ip rules"}


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest, lab: MetadataLab) -> str:
    """Each layer, and the way that leads to it."""
    if request.param == "nft missing":
        lab.host.tools(without="nft")
    elif request.param == "nft refuses":
        break_nft(lab.host)
    return LAYERS[request.param]


def test_without_the_payload_everyone_reaches_the_metadata(lab: MetadataLab) -> None:
    for uid in (0, NOBODY, APP):
        assert lab.reached(*ALL, uid=uid) == ALL
    assert lab.reached(*ALL, where=lab.container) == ALL


def test_root_alone_reaches_the_metadata(lab: MetadataLab, layer: str) -> None:
    step = boot(lab.host).steps["imds-lock"]
    assert (step.outcome, step.reason) == ("changed", layer)
    assert_locked(lab)


def test_an_allowed_user_reaches_it_and_a_removed_one_no_longer(
    lab: MetadataLab, layer: str
) -> None:
    lock(lab.host, str(APP))
    assert_locked(lab, allowed=(APP,))
    assert lock(lab.host) == layer
    assert_locked(lab)


def test_a_second_run_changes_nothing(lab: MetadataLab, layer: str) -> None:
    boot(lab.host)
    rules = lab.host.sh("ip rule; ip -6 rule; nft -s list ruleset 2>/dev/null || :")
    step = boot(lab.host).steps["imds-lock"]
    assert (step.outcome, step.reason) == ("ok", layer)
    assert lab.host.sh("ip rule; ip -6 rule; nft -s list ruleset 2>/dev/null || :") == rules


def test_a_user_made_later_joins_with_the_loader(lab: MetadataLab, layer: str) -> None:
    lock(lab.host, "app")
    assert_locked(lab)
    lab.host.sh(f"useradd -u {APP} app")
    lock(lab.host, "app")
    assert lab.reached(*METADATA, uid=APP) == set(METADATA), layer


@pytest.mark.parametrize("name", ["ec2-instance-connect", "cwagent"])
def test_agents_of_aws_are_allowed_when_they_exist(lab: MetadataLab, name: str) -> None:
    lab.host.sh(f"useradd -u {APP} {name}")
    lock(lab.host)
    assert_locked(lab, allowed=(APP,))


@pytest.mark.parametrize(
    "harm",
    [
        "nft flush ruleset",
        "nft delete table inet hardened_ec2_imds",
        "nft flush chain inet hardened_ec2_imds local",
        f"nft add element inet hardened_ec2_imds allow_uid '{{ {NOBODY} }}'",
    ],
)
def test_the_repair_run_restores_what_others_took(lab: MetadataLab, harm: str) -> None:
    lock(lab.host)
    lab.host.sh(harm)
    assert set(METADATA) & lab.reached(*METADATA, uid=NOBODY), "the harm did no harm"
    lock(lab.host)
    assert_locked(lab)


def test_the_tables_of_others_are_left_alone(lab: MetadataLab) -> None:
    lab.host.sh("nft add table inet other; nft add chain inet other kept")
    lock(lab.host)
    assert "chain kept" in lab.host.sh("nft list table inet other")


def test_an_accept_in_another_table_does_not_open_it(lab: MetadataLab) -> None:
    lab.host.sh(
        "nft add table inet other; nft add chain inet other out "
        "'{ type filter hook output priority -300; policy accept; }'; "
        "nft add rule inet other out accept"
    )
    lock(lab.host)
    assert_locked(lab)


def test_the_rules_go_when_nftables_comes_back(lab: MetadataLab) -> None:
    break_nft(lab.host)
    before = lab.host.sh("ip rule; ip -6 rule")
    assert lock(lab.host) == "ip rules"
    lab.host.sh("umount /usr/sbin/nft")
    assert lock(lab.host) == "nftables"
    assert lab.host.sh("ip rule; ip -6 rule") == before
    assert_locked(lab)


def test_a_broken_nft_leaves_its_old_table_in_force(lab: MetadataLab) -> None:
    lock(lab.host, str(APP))
    break_nft(lab.host)
    assert lock(lab.host) == "ip rules"
    assert_locked(lab)


def test_without_any_layer_it_says_so(lab: MetadataLab) -> None:
    break_nft(lab.host)
    lab.host.write("/run/ip", "#!/bin/sh\nexit 1\n", 0o755)
    lab.host.sh(f"mount --bind /run/ip {lab.host.sh('command -v ip').strip()}")
    result = boot(lab.host)
    assert result.exit_code == 1
    assert result.steps["imds-lock"].outcome == "failed"
    assert "metadata is open" in result.steps["imds-lock"].reason
    assert "failed=1" in result.stdout
    # The others ran all the same.
    assert result.steps["user-data-files"].outcome != "failed"


def test_there_is_no_moment_without_a_lock_while_it_is_loaded_again(lab: MetadataLab) -> None:
    lock(lab.host)
    watch = lab.host.sh(
        f"""
        setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups bash -c '
            while ! [ -e /run/stop ]; do
                (exec 3<>/dev/tcp/169.254.169.254/80) 2>/dev/null && echo open
                tries=$((tries + 1))
            done; echo tries $tries' &
        for uid in 101 102 103 104 105; do
            sed "s/^IMDS_USERS=.*/IMDS_USERS=$uid/" {BOOTHOOK} >/run/other
            sh /run/other imds-lock
        done >/dev/null
        touch /run/stop; wait
        """
    )
    assert "open" not in watch
    assert int(watch.split()[-1]) > 5


def test_root_reaches_it_over_a_table_of_its_own(lab: MetadataLab) -> None:
    """Policy routing, as on hosts with several interfaces: main has no route to the metadata."""
    break_nft(lab.host)
    lab.host.sh(
        "ip route add default via 10.99.0.1 table 77; ip route del default; "
        "ip rule add pref 1000 lookup 77"
    )
    assert "169.254.169.254" in lab.reached("169.254.169.254")
    lock(lab.host)
    assert lab.reached("169.254.169.254") == {"169.254.169.254"}
    assert lab.reached("169.254.169.254", uid=NOBODY) == set()


def denied_packets(host: Machine, table: str) -> int:
    reject = [line for line in host.sh(f"nft list table {table}").splitlines() if "reject" in line]
    return int(reject[0].split("packets ")[1].split()[0])


def test_the_closing_of_an_allowed_connection_is_not_denied(lab: MetadataLab) -> None:
    """The last packets of a closed socket have no owner that nft could read."""
    # Control: "reject what is not allowed" rejects them.
    lab.host.sh(
        "nft add table ip plain; "
        "nft add chain ip plain out '{ type filter hook output priority 0; }'; "
        "nft add rule ip plain out ip daddr 169.254.169.254 meta skuid 0 accept; "
        "nft add rule ip plain out ip daddr 169.254.169.254 counter reject"
    )
    lab.reached(METADATA[0])
    assert denied_packets(lab.host, "ip plain") > 0
    lab.host.sh("nft delete table ip plain")

    lock(lab.host)
    assert lab.reached(*METADATA) == set(METADATA)
    assert denied_packets(lab.host, "inet hardened_ec2_imds") == 0
    lab.reached(*METADATA, uid=NOBODY)
    assert denied_packets(lab.host, "inet hardened_ec2_imds") > 0


def test_it_runs_from_the_installed_copy(lab: MetadataLab) -> None:
    boot(lab.host)
    result = run(lab.host, SELF)
    assert result.steps["install"].outcome == "ok"
    assert lab.host.path(SELF).stat().st_mode & 0o7777 == 0o500


def test_the_metadata_is_not_reachable_through_ssh_forwarding(lab: MetadataLab) -> None:
    with ssh_host(lab.host) as server:
        assert server.forwards("169.254.169.254:80")
        assert server.forwards("[fd00:ec2::254]:80")
        lock(lab.host)
        assert not server.forwards("169.254.169.254:80")
        assert not server.forwards("[fd00:ec2::254]:80")
        assert server.forwards("169.254.169.253:80")
