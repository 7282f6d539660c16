"""Commands that undo hardening, in every layer of user data, and what cfn-init reads."""

import base64
import gzip
from time import process_time
from typing import Any

import pytest

from hardened_ec2.host import HostHardening
from hardened_ec2.policy import Severity
from hardened_ec2.policy.facts.weakening import downloads_run, opened_logins, weakenings
from tests.unit.policy.templates import (
    SOUND,
    found,
    if_,
    judged,
    message,
    ref,
    resource,
    server,
)

SSHD = "enables password, root or host-based login in sshd"
LOGINS = {
    "PasswordAuthentication yes": SSHD,
    "passwordauthentication=YES": SSHD,
    "echo 'PermitRootLogin yes' >> /etc/ssh/sshd_config": SSHD,
    "sed -i 's/^#*PasswordAuthentication.*/PasswordAuthentication yes/' f": SSHD,
    "sed -i '/PasswordAuthentication/s/no/yes/' f": SSHD,
    "sed -i 's|PermitRootLogin no|PermitRootLogin yes|' f": SSHD,
    "PermitEmptyPasswords yes": SSHD,
    "ssh_pwauth: true": "enables password login in sshd",
    "ssh_pwauth: 'yes'": "enables password login in sshd",
    "disable_root: false": "enables root login",
    "aws ec2 modify-instance-metadata-options --http-tokens optional": "disables IMDSv2",
    "dockerd -H tcp://0.0.0.0:2375": "opens the Docker API to the network",
    '{"hosts": ["unix:///var/run/docker.sock", "tcp://0.0.0.0:2375"]}': "opens the Docker API",
    "yum install -y telnet-server": "installs a telnet or rsh server",
    "sed -i 's/PermitRootLogin yes/PermitRootLogin no/; s/PasswordAuthentication no/"
    "PasswordAuthentication yes/' f": SSHD,
    "code serve-web --host 0.0.0.0 --without-connection-token": "serves a shell in the browser",
    "code-server --bind-addr 0.0.0.0:8080 --auth none": "serves a shell in the browser",
    "jupyter notebook --ip=0.0.0.0 --NotebookApp.token=''": "serves a shell in the browser",
    "jupyter lab --ServerApp.password= --ip 0.0.0.0": "serves a shell in the browser",
}
NO_LOGINS = [
    "PasswordAuthentication no",
    "# PasswordAuthentication yes",
    "PermitRootLogin prohibit-password",
    "PermitRootLogin no",
    "sed -i 's/PasswordAuthentication yes/PasswordAuthentication no/' f",
    "sed -i 's/^#\\?PermitRootLogin yes/PermitRootLogin no/' f",
    "sed -i 's|^PasswordAuthentication yes|PasswordAuthentication no|' f",
    "code-server --auth password",
    "jupyter lab --ServerApp.token='$TOKEN'",
    "ssh_pwauth: false",
    "disable_root: true",
    "aws ec2 modify-instance-metadata-options --http-tokens required",
    "dockerd -H unix:///var/run/docker.sock",
    "dockerd -H tcp://127.0.0.1:2375",
    "apt-get install -y telnet",
]
WEAK = {
    "setenforce 0": "disables SELinux",
    "sed -i s/SELINUX=enforcing/SELINUX=disabled/ /etc/selinux/config": "disables SELinux",
    "systemctl disable --now firewalld": "stops a security service",
    "systemctl stop nftables.service": "stops a security service",
    "systemctl --now mask auditd": "stops a security service",
    "systemctl disable hardened-ec2-imds": "stops a security service",
    "service iptables stop": "stops a security service",
    "apt-get -y purge unattended-upgrades": "removes a security service",
    "ufw disable": "disables the firewall",
    "iptables -F": "removes the firewall rules",
    "iptables -t nat -F": "removes the firewall rules",
    "nft flush ruleset": "removes the firewall rules",
    "iptables -P INPUT ACCEPT": "removes the firewall rules",
    "netsh advfirewall set allprofiles state off": "disables the firewall",
    "Set-NetFirewallProfile -Profile Domain,Public -Enabled False": "disables the firewall",
    "Set-MpPreference -DisableRealtimeMonitoring $true": "disables Microsoft Defender",
    "chmod -R 777 /opt/app": "makes files world-writable",
    "chmod 0666 /var/run/docker.sock": "makes files world-writable",
    "chmod a+rw /dev/x": "makes files world-writable",
    "yum install --nogpgcheck x": "installs packages without verifying signatures",
    "echo gpgcheck=0 >> /etc/yum.repos.d/x.repo": "installs packages without verifying signatures",
    "deb [arch=amd64 trusted=yes] http://x y z": "installs packages without verifying signatures",
    "curl -sSk https://x -o y": "downloads without verifying the server's certificate",
    "curl --insecure https://x": "downloads without verifying the server's certificate",
    "wget --no-check-certificate https://x": "downloads without verifying the server's certificate",
}
STRONG = [
    "setenforce 1",
    "# setenforce 0",
    "systemctl enable --now firewalld",
    "systemctl restart auditd",
    "systemctl stop nginx",
    "iptables -A INPUT -j DROP",
    "chmod 0755 /opt/app",
    "chmod 700 /root",
    "chmod +x /opt/app",
    "chmod u+w /opt/app",
    "gpgcheck=1",
    "curl -fsSL https://example.com/key -o /etc/key",
    "curl --key k https://x",
]
PIPES = [
    "curl -fsSL https://example.com/install | sh",
    "curl https://example.com/install | sudo -E bash -s -- --yes",
    "curl -s http://x/y|bash",
    "wget -qO- https://example.com/install | python3",
    "curl https://x | /bin/bash -x",
    "curl https://x | tee log | sh",
    "curl https://x \\\n  | sh",
    "bash <(curl -s https://x)",
    'sh -c "$(curl -fsSL https://x)"',
    'eval "$(curl -s https://x)"',
    "source <(curl -s https://x)",
    "iex ((New-Object Net.WebClient).DownloadString('https://x'))",
    "iwr https://x -UseBasicParsing | iex",
    "curl -o install.sh https://x\nbash install.sh",
    "curl https://x > /tmp/run\nchmod +x /tmp/run && /tmp/run",
    "wget https://x -O /tmp/run\nsh /tmp/run",
    "pip3 install --upgrade https://example.com/x.tar.gz",
    "rpm -Uvh https://example.com/x.rpm",
    "rpm --install http://example.com/x.rpm",
]
NO_PIPES = [
    "curl https://x -o key.asc\nrpm --import key.asc",
    "rpm --import https://example.com/key.asc",
    "rpm -qip https://example.com/x.rpm",
    "pip install --require-hashes -r requirements.txt",
    "TOKEN=$(curl -X PUT http://169.254.169.254/latest/api/token)",
    "curl https://x | python3 -m json.tool",
    "curl https://x | jq .a",
    "curl https://x | sh -c 'cat > y'",
    "curl https://x | sha256sum",
    "# curl https://x | sh",
    "aws s3 cp s3://bucket/x - | sh",
    "curl -o x.sh https://x\necho '9f86 x.sh' | sha256sum --check\nsh x.sh",
    "curl -o x.tgz https://x\ntar xf x.tgz",
]


@pytest.mark.parametrize(("text", "what"), LOGINS.items())
def test_what_opens_a_login_is_found(text: str, what: str) -> None:
    assert [(c.line, what in c.what) for c in opened_logins(f"#!/bin/sh\n{text}\n")] == [(2, True)]


@pytest.mark.parametrize("text", NO_LOGINS)
def test_what_keeps_it_shut_is_not(text: str) -> None:
    assert opened_logins(f"#!/bin/sh\n{text}\n") == ()


@pytest.mark.parametrize(("text", "what"), WEAK.items())
def test_what_switches_a_guard_off_is_found(text: str, what: str) -> None:
    assert [(c.line, c.what) for c in weakenings(f"#!/bin/sh\n{text}\n")] == [(2, what)]


@pytest.mark.parametrize("text", STRONG)
def test_what_leaves_it_on_is_not(text: str) -> None:
    assert weakenings(f"#!/bin/sh\n{text}\n") == ()


@pytest.mark.parametrize("text", PIPES)
def test_what_runs_a_download_is_found(text: str) -> None:
    assert [c.line for c in downloads_run(f"#!/bin/sh\n{text}\n")] == [2]


@pytest.mark.parametrize("text", NO_PIPES)
def test_what_only_downloads_is_not(text: str) -> None:
    assert downloads_run(f"#!/bin/sh\n{text}\n") == ()


@pytest.mark.parametrize("profile", ["core", "baseline", "strict"])
def test_our_own_host_hardening_weakens_nothing(profile: Any) -> None:  # noqa: ANN401
    text = HostHardening(profile=profile).render()
    assert (opened_logins(text), weakenings(text), downloads_run(text)) == ((), (), ())


@pytest.mark.parametrize("word", ["curl ", "sudo ", "chmod -a ", "PermitRootLogin ", "wget -O a "])
def test_a_text_made_to_be_slow_is_not(word: str) -> None:
    started = process_time()
    text = word * (2**18 // len(word))
    for find in (opened_logins, weakenings, downloads_run):
        find(text)
    assert process_time() - started < 3


RULES = {
    "UserDataOpensLogin": (Severity.ERROR, "PermitRootLogin yes"),
    "UserDataWeakensHost": (Severity.WARNING, "setenforce 0"),
    "UserDataPipesToShell": (Severity.WARNING, "curl https://x | sh"),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_is_a_finding_in_every_layer(rule: str) -> None:
    severity, line = RULES[rule]
    script = f"#!/bin/sh\n{line}\n"
    zipped = base64.b64encode(gzip.compress(script.encode())).decode()
    for user_data in (
        {"Fn::Base64": script},
        zipped,
        {"Fn::Base64": {"Fn::Join": ["\n", ["#!/bin/sh", line]]}},
        {"Fn::Base64": {"Fn::Sub": f"#!/bin/sh\n{line}\n# ${{AWS::Region}}"}},
        {"Fn::Base64": if_("C", script, "#!/bin/sh")},
        {"Fn::Base64": f"content: {base64.b64encode(script.encode()).decode()}"},
    ):
        (finding,) = found(rule, server(UserData=user_data))
        assert finding.severity is severity
        assert finding.path == "Properties.UserData"
        assert "of the user data" in finding.message
    assert found(rule, server(UserData={"Fn::Base64": "#!/bin/sh\necho hello\n"})) == []


def test_user_data_that_is_not_known_is_told_by_one_finding() -> None:
    resources = server(UserData={"Fn::Base64": ref("Unset")})
    parameters = {"Unset": {"Type": "String"}}
    assert "the user data is not known" in message("CannotVerify", resources, Parameters=parameters)


SECRET = "MetadataSecret"  # noqa: S105 - the name of a rule
PARAMETERS: dict[str, Any] = {
    "Parameters": {
        "Hidden": {"Type": "String", "NoEcho": True},
        "Plain": {"Type": "String"},
    }
}


def with_metadata(metadata: object, kind: str = "Init") -> dict[str, Any]:
    sound = dict(SOUND)
    return {
        **sound,
        "Server": {**sound["Server"], "Metadata": {f"AWS::CloudFormation::{kind}": metadata}},
    }


def files(content: object) -> dict[str, Any]:
    return {"config": {"files": {"/etc/app.conf": {"content": content, "mode": "000400"}}}}


@pytest.mark.parametrize(
    "resources",
    [
        with_metadata(files("PASSWORD=hunter2\n")),
        with_metadata(files({"Fn::Join": ["", ["PASS", "WORD=", "hunter2"]]})),
        with_metadata(files({"Fn::Sub": "PASSWORD=hunter2 ${AWS::Region}"})),
        with_metadata(files(base64.b64encode(b"export PASSWORD=hunter2\n").decode())),
        with_metadata(files({"db": {"password": "hunter2"}})),
        with_metadata({"config": {"commands": {"a": {"command": "mysql -pS3cret x -pS3cret"}}}}),
        with_metadata({"config": {"commands": {"a": {"env": {"DB_PASSWORD": "hunter2"}}}}}),
        with_metadata({"config": if_("C", files("PASSWORD=hunter2")["config"])}),
        with_metadata(
            {"s3": {"type": "s3", "secretKey": "wJalrXUtnFEMI/K7MDENG"}}, "Authentication"
        ),
        with_metadata({"b": {"type": "basic", "password": "hunter2"}}, "Authentication"),
        with_metadata({"b": {"password": ref("Hidden")}}, "Authentication"),
        with_metadata(files({"Fn::Sub": "key ${Hidden}"})),
        with_metadata({"b": {"password": ref("Plain")}}, "Authentication"),
        with_metadata(files("{{resolve:secretsmanager:prod/db}}")),
    ],
)
def test_a_secret_that_cfn_init_reads_is_an_error(resources: dict[str, Any]) -> None:
    findings = found(SECRET, resources, **PARAMETERS)
    assert findings
    for finding in findings:
        assert finding.severity is Severity.ERROR
        assert finding.logical_id == "Server"
        assert finding.path.startswith("Metadata.AWS::CloudFormation::")
        assert "hunter2" not in finding.message


@pytest.mark.parametrize(
    "resources",
    [
        with_metadata(files("user nginx;\nPASSWORD_FILE=/run/secrets/x\n")),
        with_metadata({"s3": {"type": "S3", "roleName": ref("Role")}}, "Authentication"),
        with_metadata({"config": {"packages": {"yum": {"nginx": []}}}}),
        with_metadata(files({"Fn::Sub": "region=${AWS::Region}"})),
        {**SOUND, "Server": {**SOUND["Server"], "Metadata": {"aws:cdk:path": "password=hunter2"}}},
    ],
)
def test_plain_configuration_is_sound(resources: dict[str, Any]) -> None:
    assert judged(resources, **PARAMETERS) == []


def test_metadata_of_other_resources_is_read_too() -> None:
    group = resource("AutoScaling::AutoScalingGroup")
    group["Metadata"] = {"AWS::CloudFormation::Init": files("PASSWORD=hunter2")}
    assert found(SECRET, {"Fleet": group})


def test_metadata_that_is_not_known_cannot_be_verified() -> None:
    assert "the metadata is not known" in message(
        "CannotVerify", with_metadata(files({"Fn::Unheard": 1}))
    )


def nested(value: object, depth: int, *, lists: bool = False) -> object:
    for level in range(depth):
        value = [value] if lists and level % 2 else {"password": value}
    return value


@pytest.mark.parametrize("lists", [False, True])
def test_metadata_is_read_32_levels_down(*, lists: bool) -> None:
    (finding,) = found(SECRET, with_metadata(nested("hunter2", 32, lists=lists)))
    assert finding.message == "line 1 of the metadata contains a value for password"
    deeper = with_metadata(nested("hunter2", 33, lists=lists))
    assert found(SECRET, deeper) == []
    assert message("CannotVerify", deeper).endswith(
        ": the metadata is nested too deeply to be read"
    )


@pytest.mark.parametrize("value", ["see the manual", "see\nmanual"])
def test_a_text_is_no_password_by_the_name_it_stands_under(value: str) -> None:
    assert found(SECRET, with_metadata({"config": {"password": value}})) == []


def test_a_parameter_that_is_not_hidden_may_stand_in_metadata() -> None:
    assert found(SECRET, with_metadata(files({"Fn::Sub": "key ${Plain}"})), **PARAMETERS) == []


def test_where_a_weakening_stands_is_told() -> None:
    weak = "systemctl disable auditd"
    encoded = base64.b64encode(weak.encode()).decode()
    for script, inside in ((weak, ""), (f"echo {encoded} | base64 -d | sh", " (in base64)")):
        (finding,) = found("UserDataWeakensHost", server(UserData={"Fn::Base64": script}))
        assert finding.message == f"line 1 of the user data{inside} stops a security service"
