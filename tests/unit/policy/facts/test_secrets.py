import gzip
from base64 import b64encode, encodebytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardened_ec2.host import HostHardening
from hardened_ec2.policy.facts.secrets import secrets_in
from hardened_ec2.policy.facts.user_data import MAX_LAYERS, layers
from hardened_ec2.policy.resolve.values import Base64

# Written in two halves, so that no scanner takes this file for a leak.
LEAKS = {
    "AKIA" + "IOSFODNN7ABCDEFG": "a secret (AWS Access Key)",
    "ASIA" + "IOSFODNN7ABCDEFG": "a secret (AWS Access Key)",
    "-----BEGIN RSA " + "PRIVATE KEY-----": "a private key",
    "-----BEGIN OPENSSH " + "PRIVATE KEY-----": "a private key",
    "-----BEGIN " + "PRIVATE KEY-----": "a private key",
    "ghp_" + "a1" * 18: "a secret (GitHub Token)",
    "AKIAIOSFODNN7EXAMPLE": "a secret (AWS Access Key)",
    "secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": "a value for secret_access_key",
    "github_pat_" + "a1" * 18: "a GitHub token",
    "glpat-" + "a1" * 12: "a secret (GitLab Token)",
    "xoxb-" + "1234567890-abcdef": "a secret (Slack Token)",
    "xoxe-1-" + "a1" * 12: "a Slack token",
    "https://hooks.slack.com/services/" + "T0000/B0000/" + "x1" * 12: "a secret (Slack Token)",
    "sk_live_" + "a1" * 12: "a secret (Stripe Access Key)",
    "AIza" + "a1" * 17 + "b": "a Google API key",
    "npm_" + "a1" * 18: "an npm token",
    "pypi-AgE" + "IcHlwaS5vcmc" + "a1" * 40: "a secret (PyPI Token)",
    "SG." + "a1" * 11 + "." + "b2" * 21 + "c": "a secret (SendGrid API Key)",
    "hvs." + "a1" * 14: "a Vault token",
    "AccountKey=" + "a1" * 43 + "==": "a secret (Azure Storage Account access key)",
    "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3" + ".dozjgNryP4J3jVmN": "a JSON web token",
    "glrt-" + "a1" * 12: "a secret (GitLab Token)",
    "GR1348941" + "a1" * 12: "a secret (GitLab Token)",
    "xapp-" + "1-A0-" + "a1" * 12: "a Slack token",
    "sk-" + "a1" * 10 + "T3BlbkFJ" + "a1" * 10: "an OpenAI key",
    "sk-ant-" + "api03-" + "a1" * 20: "an Anthropic key",
    "hf_" + "a1" * 17: "a Hugging Face token",
    "dop_v1_" + "a1" * 32: "a DigitalOcean token",
    "dckr_pat_" + "a1" * 13: "a Docker Hub token",
    "dapi" + "a1" * 16: "a Databricks token",
    "NRAK-" + "A1" * 13 + "B": "a New Relic key",
    "a1" * 7 + ".atlasv1." + "a1" * 33: "a Terraform Cloud token",
    "sq0csp-" + "a1" * 21 + "b": "a secret (Square OAuth Secret)",
    "a1" * 16 + "-us12": "a secret (Mailchimp Access Key)",
    "SK" + "a1" * 16: "a Twilio key",
    "123456789:AA" + "a1" * 16 + "b": "a secret (Telegram Bot Token)",
    "AKC" + "a1" * 30: "an Artifactory key",
    "AGE-SECRET-KEY-1" + "A1" * 29: "an age key",
    "PuTTY-User-Key-File-" + "3: ssh-ed25519": "a private key",
    "sk-proj-" + "a1" * 37 + "T3BlbkFJ" + "a1" * 37: "an OpenAI key",
    "M" + "a1" * 12 + ".a1a1a1." + "a1" * 13 + "b": "a secret (Discord Bot Token)",
    "cloudant_password=" + "a1" * 32: "a value for cloudant_password",
    "ibm_cloud_api_key: " + "a1" * 22: "a value for ibm_cloud_api_key",
    "softlayer_api_key=" + "a1" * 32: "a value for softlayer_api_key",
    "aws_key='" + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" + "'": "a secret (AWS Access Key)",
    "-----BEGIN ENCRYPTED " + "PRIVATE KEY-----": "a private key",
    "PASSWORD=hunter2": "a value for PASSWORD",
    "docker run -e DB_PASSWORD=c5nk[sCo[2E;,{*R1%.N db": "a value for DB_PASSWORD",
    "DB_PASS=hunter2": "a value for DB_PASS",
    "mongosh --db-pass hunter2": "a value for db-pass",
    "SECRET_KEY=abcd1234efgh": "a value for SECRET_KEY",
    "secretKey: abcd1234efgh": "a value for secretKey",
    "encryption_key = 'abcd1234efgh'": "a value for encryption_key",
    "chpasswd <<< root:Passw0rd": "a password for chpasswd",
    "echo hunter2 | passwd --stdin root": "a password for passwd",
    "machine h login me password hunter2": "a password in .netrc",
    "docker login -u me -p hunter2 registry": "a password for docker login",
    'curl -H "Authorization: Bearer abcdef0123456789abcd" x': "an authorization header",
    "aws configure set aws_secret_access_key " + "wJalrXUtnFEMI" * 3: "an AWS secret key",
    "DB_PASSWORD: 's3cr3t!'": "a value for DB_PASSWORD",
    '{"password": "x1y2z3"}': "a value for password",
    "export API_TOKEN=abcd1234efgh": "a value for API_TOKEN",
    "aws_secret_access_key = " + "wJalrXUtnFEMI" * 3: "a value for aws_secret_access_key",
    "psql --password hunter22": "a value for password",
    "psql --password=hunter22": "a value for password",
    "plain_text_passwd: foobar": "a value for plain_text_passwd",
    "define('DB_PASSWORD', 'abc123');": "a value for DB_PASSWORD",
    '$password := "abc123"': "a value for password",
    "<password>abc123</password>": "a value for password",
    "SECRET=4f2a9d8c7b6e5f4a": "a value for SECRET",
    "postgres://app:pa55word@db/x": "a password in a URL",
    'echo "root:Passw0rd" | chpasswd': "a password for chpasswd",
    "echo root:pw | sudo chpasswd": "a password for chpasswd",
    "mysql -u root -pS3cret db": "a password for mysql",
    "sshpass -p hunter2 ssh host": "a password for sshpass",
    "curl -u admin:hunter22 https://x": "a password for curl",
    "CREATE USER app IDENTIFIED BY 'abc123'": "a password for a database user",
    "requirepass foobared1": "a password for Redis",
    "net user admin P@ssw0rd /add": "a password for net user",
    "ConvertTo-SecureString 'abc123' -AsPlainText": "a password for ConvertTo-SecureString",
}

HARMLESS = [
    "PasswordAuthentication no",
    "PermitEmptyPasswords no",
    "ssh_pwauth: false",
    "lock_passwd: true",
    "chpasswd: { expire: False }",
    "passwd: $6$rounds=4096$abc$def",
    "cat /etc/passwd",
    "passwd -l root",
    "password requisite pam_pwquality.so",
    "the password is set later",
    'read -s -p "Password: " PW',
    "password=$(aws secretsmanager get-secret-value --secret-id prod/db --output text)",
    "aws ssm get-parameter --name /db/password --with-decryption",
    "TOKEN=$(curl -X PUT http://169.254.169.254/latest/api/token)",
    "TOKEN=`curl -X PUT http://169.254.169.254/latest/api/token`",
    'curl -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/',
    'curl -H "X-aws-ec2-metadata-token-ttl-seconds: 21600"',
    "aws ec2 modify-instance-metadata-options --http-tokens required",
    "SECRET_ARN=arn:aws:secretsmanager:us-east-1:123456789012:secret:x",
    "secret: arn:aws:secretsmanager:us-east-1:123456789012:secret:x",
    "secret: prod/database",
    "secret_name: foo-bar-2",
    "token_type: Bearer",
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 user@host",
    "bypass=true",
    "--pass-through yes",
    "DB_PASS=$DB_PASS",
    "SECRET_KEY=${KEY}",
    'curl -H "Authorization: Bearer $TOKEN" https://x',
    "docker login -u AWS -p $(aws ecr get-login-password) x",
    "cd /opt/app-us-east-1",
    "ami-0123456789abcdef0 vpc-0123456789abcdef0 sg-0a1b2c3d4e5f60718",
    "id 123e4567-e89b-12d3-a456-426614174000",
    "image@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "etag: d41d8cd98f00b204e9800998ecf8427e",
    "integrity sha512-" + "QUJD" * 21 + "QQ==",
    "key: arn:aws:kms:us-east-1:123456789012:key/123e4567-e89b-12d3-a456-426614174000",
    "chpasswd: {list: []}",
    "AccountKey=",
    "git checkout 3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
    "sha256sum: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "-----BEGIN PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----",
    'export PASSWORD="${DB_PASSWORD}"',
    "password = os.environ['DB']",
    "password = table[key]",
    "password=get_password()",
    "password: config.password",
    "PASSWORD_FILE=/run/secrets/x",
    "password: /run/secrets/db",
    "password: <your-password>",
    "password: ********",
    "PWD=/root",
    "docker login -u AWS --password-stdin",
    'mysql -u root -p"$PW"',
    "mysql -u root -p",
    "https://user@host/x",
    "git@github.com:owner/repo.git",
    "H4sIAAAAAAAA+XAKIA" + "IOSFODNN7ABCDEFG",
    "aws_key_digest='3b18e512dba79e4c8300dd08aeb37f8e728b8dad'",
    "JAVA_OPTS=APACHECONFIG",
    "grep -q 'BEGIN RSA PRIVATE KEY' /etc/ssl/private/server.pem",
    "account AC" + "a1" * 16,
    "nameserver 203.0.113.53",
    "aws s3api get-object --key " + "release-" * 5 + "last.tar.gz",
]


@pytest.mark.parametrize(("text", "kind"), LEAKS.items())
def test_a_secret_is_found_with_its_line(text: str, kind: str) -> None:
    found = secrets_in(f"#!/bin/sh\n# a comment\n{text}\n")
    assert [(secret.kind, secret.line) for secret in found] == [(kind, 3)]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_a_secret_is_not_one(text: str) -> None:
    assert secrets_in(f"#!/bin/sh\n{text}\n") == ()


def test_our_own_host_hardening_holds_none() -> None:
    assert secrets_in(HostHardening().render()) == ()


def test_passwords_in_a_cloud_config_are_found() -> None:
    text = "#cloud-config\nchpasswd:\n  expire: false\n  list: |\n    root:Passw0rd\n"
    assert [(s.kind, s.line) for s in secrets_in(text)] == [("a password for chpasswd", 5)]
    assert secrets_in("#cloud-config\nchpasswd:\n  expire: false\n  list: |\n    a:$6$x$y\n") == ()


LINES = st.sampled_from([*HARMLESS, "#!/bin/sh", "", "echo hello"])


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(LINES, max_size=4), st.sampled_from(sorted(LEAKS)), st.lists(LINES, max_size=4))
def test_a_secret_is_found_among_whatever_stands_around_it(
    before: list[str], leak: str, after: list[str]
) -> None:
    text = "\n".join([*before, leak, *after])
    assert len(before) + 1 in {secret.line for secret in secrets_in(text)}


def wrapped(how: str, text: str) -> str:
    if how == "gzip":
        return b64encode(gzip.compress(text.encode(), mtime=0)).decode()
    if how == "members":
        cut = len(text) // 2
        pieces = [gzip.compress(piece.encode(), mtime=0) for piece in (text[:cut], text[cut:])]
        return b64encode(b"".join(pieces)).decode()
    if how == "utf-16":
        return b64encode(text.encode("utf-16-le")).decode()
    if how == "lines":
        return encodebytes(text.encode()).decode()
    return b64encode(text.encode()).decode()


ENCODINGS = st.lists(
    st.sampled_from(["base64", "gzip", "members", "utf-16", "lines"]), max_size=MAX_LAYERS
)


@settings(max_examples=100, deadline=None, database=None)
@given(st.sampled_from(sorted(LEAKS)), ENCODINGS)
def test_a_secret_is_found_through_every_encoding(leak: str, encodings: list[str]) -> None:
    text = f"#!/bin/sh\n# what this does is said here at some length\n{leak}\n"
    for how in encodings:
        text = f"write_files:\n- content: {wrapped(how, text)}"
    found = [secret for layer in layers(Base64(text)) for secret in secrets_in(layer.text)]
    assert LEAKS[leak] in {secret.kind for secret in found}


def test_one_secret_is_found_once() -> None:
    text = "GITHUB_TOKEN=" + "ghp_" + "a1" * 18
    assert [secret.kind for secret in secrets_in(text)] == ["a secret (GitHub Token)"]


def test_a_finding_never_holds_the_secret() -> None:
    (secret,) = secrets_in("PASSWORD=hunter2")
    assert "hunter2" not in repr(secret)
    assert "PASSWORD=hunter2"[slice(*secret.value)] == "hunter2"
