#!/bin/sh
# In moto, a change set for a stack that exists makes a second stack of the same name.
#
# One would expect: without ChangeSetType a change set is an update, as in CloudFormation, whose
# default is UPDATE: the security group is modified in place, and there is one stack.
# What happens: moto takes it for CREATE. The change set says "Add", a second stack appears in
# review, and executing it makes a second security group beside the first. With ChangeSetType
# UPDATE written out, moto says "Modify".
# Who meets it: tests of a deployment script that relies on the default, and that then read the
# group by its description, or count stacks.
#
# Seen with moto 5.2.5, boto3 1.44.5.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet boto3==1.44.5 botocore==1.44.5 'moto[cloudformation,ec2]==5.2.5' 2>/dev/null
export AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=eu-central-1

venv/bin/python - >seen.txt 2>errors.txt <<'PYTHON' || { cat errors.txt && exit 1; }
import json

import boto3
import moto

print("moto", moto.__version__, "boto3", boto3.__version__)


def template(port):
    rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "10.0.0.0/8"}
    properties = {"GroupDescription": "web", "SecurityGroupIngress": [rule]}
    group = {"Type": "AWS::EC2::SecurityGroup", "Properties": properties}
    return json.dumps({"Resources": {"Group": group}})


for given in ({}, {"ChangeSetType": "UPDATE"}):
    with moto.mock_aws():
        formation, ec2 = boto3.client("cloudformation"), boto3.client("ec2")
        formation.create_stack(StackName="web", TemplateBody=template(80))
        name = {"StackName": "web", "ChangeSetName": "to-443"}
        formation.create_change_set(**name, TemplateBody=template(443), **given)
        changes = formation.describe_change_set(**name)["Changes"]
        print(given, [change["ResourceChange"]["Action"] for change in changes], end=" ")
        formation.execute_change_set(**name)
        print(len(formation.list_stacks()["StackSummaries"]), "stack(s), ports", end=" ")
        wanted = [{"Name": "description", "Values": ["web"]}]
        groups = ec2.describe_security_groups(Filters=wanted)["SecurityGroups"]
        print(sorted(rule["FromPort"] for group in groups for rule in group["IpPermissions"]))
PYTHON
cat seen.txt

cat >expected.txt <<'EXPECTED'
moto 5.2.5 boto3 1.44.5
{} ['Add'] 2 stack(s), ports [80, 443]
{'ChangeSetType': 'UPDATE'} ['Modify'] 1 stack(s), ports [443]
EXPECTED
cmp seen.txt expected.txt
