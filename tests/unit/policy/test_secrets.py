import pytest

from hardened_ec2.host import HostHardening
from hardened_ec2.policy.secrets import secrets_in

# Written in two halves, so that no scanner takes this file for a leak.
LEAKS = {
    "AKIA" + "IOSFODNN7ABCDEFG": "an AWS access key",
    "ASIA" + "IOSFODNN7ABCDEFG": "an AWS session key",
    "-----BEGIN RSA " + "PRIVATE KEY-----": "a private key",
    "-----BEGIN OPENSSH " + "PRIVATE KEY-----": "a private key",
    "-----BEGIN " + "PRIVATE KEY-----": "a private key",
    "ghp_" + "a1" * 18: "a GitHub token",
    "AKIAIOSFODNN7EXAMPLE": "an AWS access key",
    "secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": "a value for secret_access_key",
    "github_pat_" + "a1" * 18: "a GitHub token",
    "glpat-" + "a1" * 12: "a GitLab token",
    "xoxb-" + "1234567890-abcdef": "a Slack token",
    "https://hooks.slack.com/services/" + "T00000000/B00000000/" + "x1" * 12: "a Slack webhook",
    "sk_live_" + "a1" * 12: "a Stripe key",
    "AIza" + "a1" * 17 + "b": "a Google API key",
    "npm_" + "a1" * 18: "an npm token",
    "pypi-AgE" + "a1" * 30: "a PyPI token",
    "SG." + "a1" * 11 + "." + "b2" * 21: "a SendGrid key",
    "hvs." + "a1" * 14: "a Vault token",
    "AccountKey=" + "a1" * 43 + "==": "an Azure storage key",
    "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3" + ".dozjgNryP4J3jVmN": "a JSON web token",
    "PASSWORD=hunter2": "a value for PASSWORD",
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
    "git checkout 3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
    "sha256sum: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "-----BEGIN PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----",
    'export PASSWORD="${DB_PASSWORD}"',
    "password = os.environ['DB']",
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


def test_one_secret_is_found_once() -> None:
    text = "GITHUB_TOKEN=" + "ghp_" + "a1" * 18
    assert [secret.kind for secret in secrets_in(text)] == ["a GitHub token"]


def test_a_finding_never_holds_the_secret() -> None:
    (secret,) = secrets_in("PASSWORD=hunter2")
    assert "hunter2" not in repr(secret)
    assert "PASSWORD=hunter2"[slice(*secret.value)] == "hunter2"
