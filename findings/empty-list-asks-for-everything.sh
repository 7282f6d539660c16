#!/bin/sh
# "Remove none of the tags" is sent to EC2 as "remove all of the tags".
#
# One would expect: an empty list says "none", or the SDK refuses it.
# What happens: EC2's protocol has no form for an empty list. boto3 and the JavaScript SDK leave it
# out of the request, and a list left out has a meaning of its own there: DeleteTags without tags
# removes all tags that users set, DescribeInstances without ids returns every instance. In the
# protocol of Auto Scaling, otherwise alike, the empty list is sent. moto, which many test with,
# removes no tag at all.
# Who meets it: a script that computes which tags are obsolete, on a day when none is.
#
# Seen with boto3 1.44.5, @aws-sdk/client-ec2 3.1169.0, moto 5.2.5. EC2's meaning of a list left
# out is in its API reference: DeleteTags, parameter Tag.N.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet boto3==1.44.5 botocore==1.44.5 'moto[ec2]==5.2.5' 2>/dev/null
npm install --silent --no-audit --no-fund --prefix "$work" @aws-sdk/client-ec2@3.1169.0 >/dev/null 2>&1
export AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=eu-central-1

venv/bin/python - >seen.txt <<'PYTHON'
import boto3
from botocore.awsrequest import AWSResponse
from moto import mock_aws


class Raw:
    def stream(self):
        yield b"<Response/>"


def sent(service, operation, **arguments):
    client = boto3.client(service)

    def answer(request, **_):
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        print("boto3", service, body.split("&", 2)[0], body.split("&", 2)[2])
        return AWSResponse(request.url, 200, {}, Raw())

    client.meta.events.register("before-send", answer)
    getattr(client, operation)(**arguments)


sent("ec2", "delete_tags", Resources=["i-1"], Tags=[])
sent("autoscaling", "update_auto_scaling_group", AutoScalingGroupName="a", TerminationPolicies=[])

with mock_aws():
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Owner", "Value": "team"}])
    ec2.delete_tags(Resources=[vpc], Tags=[])
    tags = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [vpc]}])["Tags"]
    print("moto keeps", [tag["Key"] for tag in tags])
PYTHON
node -e '
const { EC2Client, DeleteTagsCommand } = require("@aws-sdk/client-ec2");
const handle = async (request) => {
  console.log("JavaScript", request.body);
  throw new Error("not sent");
};
new EC2Client({ maxAttempts: 1, region: "eu-central-1", requestHandler: { handle } })
  .send(new DeleteTagsCommand({ Resources: ["i-1"], Tags: [] }))
  .catch(() => {});
' >>seen.txt 2>/dev/null
cat seen.txt

cat >expected.txt <<'EXPECTED'
boto3 ec2 Action=DeleteTags ResourceId.1=i-1
boto3 autoscaling Action=UpdateAutoScalingGroup AutoScalingGroupName=a&TerminationPolicies=
moto keeps ['Owner']
JavaScript Action=DeleteTags&Version=2016-11-15&ResourceId.1=i-1
EXPECTED
cmp seen.txt expected.txt
