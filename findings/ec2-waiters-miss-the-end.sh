#!/bin/sh
# Waiters of EC2 go on asking about things that can no longer come.
#
# One would expect: a waiter stops at the first answer after which its wish cannot come true.
# What happens: it stops only at the states that its model names.
# - security_group_vpc_association_associated: "disassociated" and an empty list are no such states.
# - instance_running: "stopped" is not named, though "stopping" is.
# - secondary_subnet_create_complete: the failure that is named is "delete-failed", so a subnet
#   whose creation failed is waited for to the end.
# Who meets it: deployment scripts that wait. With the delays of the models they wait for one to
# ten minutes, and end in "Max attempts exceeded", which does not name the state.
#
# Seen with botocore 1.44.5. The answers are given by botocore's Stubber, the delay is set to 0.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet botocore==1.44.5 2>/dev/null

venv/bin/python - >seen.txt <<'PYTHON'
import botocore
from botocore.exceptions import WaiterError
from botocore.session import get_session
from botocore.stub import Stubber

print("botocore", botocore.__version__)


def ask(what, name, states, operation, answer):
    client = get_session().create_client(
        "ec2", region_name="eu-central-1", aws_access_key_id="none", aws_secret_access_key="none"
    )
    waiter = client.get_waiter(name)
    asked = 0

    def count(**_):
        nonlocal asked
        asked += 1

    client.meta.events.register("before-parameter-build.ec2", count)
    with Stubber(client) as stubber:
        for _ in range(waiter.config.max_attempts):
            stubber.add_response(operation, answer)
        try:
            waiter.wait(WaiterConfig={"Delay": 0})
            end = "success"
        except WaiterError as error:
            end = error.kwargs["reason"].split(":")[0]
    print(f"{what}, {list(states)}: {end} after {(asked - 1) * waiter.config.delay} s")


def association(*states):
    described = {"SecurityGroupVpcAssociations": [{"State": state} for state in states]}
    name = "security_group_vpc_association_associated"
    ask("association", name, states, "describe_security_group_vpc_associations", described)


def instance(state):
    described = {"Reservations": [{"Instances": [{"State": {"Name": state}}]}]}
    ask("instance", "instance_running", [state], "describe_instances", described)


def subnet(state):
    described = {"SecondarySubnets": [{"State": state}]}
    ask("subnet", "secondary_subnet_create_complete", [state], "describe_secondary_subnets", described)


association()
association("disassociated")
association("association-failed")
instance("stopped")
instance("stopping")
subnet("create-failed")
subnet("delete-failed")
PYTHON
cat seen.txt

cat >expected.txt <<'EXPECTED'
botocore 1.44.5
association, []: Max attempts exceeded after 60 s
association, ['disassociated']: Max attempts exceeded after 60 s
association, ['association-failed']: Waiter encountered a terminal failure state after 0 s
instance, ['stopped']: Max attempts exceeded after 585 s
instance, ['stopping']: Waiter encountered a terminal failure state after 0 s
subnet, ['create-failed']: Max attempts exceeded after 290 s
subnet, ['delete-failed']: Waiter encountered a terminal failure state after 0 s
EXPECTED
cmp seen.txt expected.txt
