"""How a server lives: the keys it is made with."""

from collections.abc import Iterator

from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.rule import Case, Outcome, doubtful, faulty, rule
from hardened_ec2.policy.servers import Kind
from hardened_ec2.policy.values import ABSENT, Unknown, describe


@rule(
    id="HardenedEc2-KeyPair",
    severity=Severity.WARNING,
    fact="The server is made without a long-lived key pair.",
    why=(
        "A key pair is one secret for everybody: it cannot expire, it names nobody in the logs, "
        "and EC2 puts it on the server once and never takes it off."
    ),
    fix=(
        "Leave KeyName out and log in through Session Manager or an EC2 Instance Connect "
        "Endpoint; acknowledge it with a reason where a key pair is needed."
    ),
)
def key_pair(case: Case) -> Iterator[Outcome]:
    """Report every KeyName: a parameter is a key pair all the same."""
    for server in case.servers:
        if server.kind is Kind.NETWORK_INTERFACE:
            continue
        for key in server.at("KeyName"):
            if isinstance(key.content, Unknown) and not key.content.name:
                yield doubtful(key, f"KeyName is not known: {key.content.why}")
            elif key.content is not ABSENT and key.content != "":
                yield faulty(key, f"KeyName is {describe(key.content)}")
