#!/bin/sh
# An instance made by a stack in moto is without what the template protects it with.
#
# One would expect: moto, which keeps MetadataOptions, monitoring and security groups of an
# instance made with run_instances, keeps them of one made by a template; a stack with termination
# protection is not deleted.
# What happens: the instance has IMDSv1 on, no monitoring and no group of the template; delete_stack
# deletes the protected stack.
# Who meets it: tests that deploy a template to moto and then look at the instance: they fail for
# a sound template, or are written around it and pass for a bad one.
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
with moto.mock_aws():
    ec2, formation = boto3.client("ec2"), boto3.client("cloudformation")

    def look(how, instance):
        print(how, "tokens", instance["MetadataOptions"]["HttpTokens"], end=", ")
        print("monitoring", instance["Monitoring"]["State"], end=", ")
        print("groups", [group["GroupName"] for group in instance["SecurityGroups"]])

    image = ec2.describe_images()["Images"][0]["ImageId"]
    wanted = {"ImageId": image, "MetadataOptions": {"HttpTokens": "required"}}
    group = ec2.create_security_group(GroupName="direct", Description="direct")["GroupId"]
    made = ec2.run_instances(
        MinCount=1, MaxCount=1, Monitoring={"Enabled": True}, SecurityGroupIds=[group], **wanted
    )["Instances"][0]
    server = {"Monitoring": True, "SecurityGroupIds": [{"Fn::GetAtt": ["Group", "GroupId"]}]}
    resources = {
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"GroupName": "template", "GroupDescription": "template"},
        },
        "Server": {"Type": "AWS::EC2::Instance", "Properties": {**server, **wanted}},
    }
    formation.create_stack(
        StackName="server",
        TemplateBody=json.dumps({"Resources": resources}),
        EnableTerminationProtection=True,
    )
    every = [
        instance
        for reservation in ec2.describe_instances()["Reservations"]
        for instance in reservation["Instances"]
    ]
    for instance in every:
        same = instance["InstanceId"] == made["InstanceId"]
        look("run_instances:" if same else "stack:", instance)
    formation.delete_stack(StackName="server")
    print("protected stack:", formation.list_stacks()["StackSummaries"][0]["StackStatus"])
PYTHON
cat seen.txt

cat >expected.txt <<'EXPECTED'
moto 5.2.5 boto3 1.44.5
run_instances: tokens required, monitoring enabled, groups ['direct']
stack: tokens optional, monitoring disabled, groups []
protected stack: DELETE_COMPLETE
EXPECTED
cmp seen.txt expected.txt
