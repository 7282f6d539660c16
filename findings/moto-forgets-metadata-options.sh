#!/bin/sh
# moto forgets an instance's metadata options at the first change of one of them, and a launch
# template's at the first use.
#
# One would expect: ModifyInstanceMetadataOptions changes what it is given and leaves the rest; an
# instance from a launch template has the template's options; a version made from a source version
# inherits from it. So it is in EC2.
# What happens: moto puts its defaults in place of what was not given, without HttpTokens at all, so
# that code which reads HttpTokens fails. The launch template's options never arrive. A new version
# has only what its own call names.
# Who meets it: tests of code that requires IMDSv2 on running servers, or that starts them from
# templates that require it.
#
# Seen with moto 5.2.5, boto3 1.44.5.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet boto3==1.44.5 botocore==1.44.5 'moto[ec2]==5.2.5' 2>/dev/null
export AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=eu-central-1

venv/bin/python - >seen.txt <<'PYTHON'
import boto3
import moto

print("moto", moto.__version__, "boto3", boto3.__version__)
with moto.mock_aws():
    ec2 = boto3.client("ec2")
    options = {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}
    image = ec2.describe_images()["Images"][0]["ImageId"]

    def start(**how):
        started = ec2.run_instances(MinCount=1, MaxCount=1, **how)
        return started["Instances"][0]["InstanceId"]

    def show(what, server):
        described = ec2.describe_instances(InstanceIds=[server])
        options = described["Reservations"][0]["Instances"][0]["MetadataOptions"]
        print(what, options.get("HttpTokens"), options["HttpPutResponseHopLimit"])

    server = start(ImageId=image, MetadataOptions=options)
    show("started:", server)
    ec2.modify_instance_metadata_options(InstanceId=server, InstanceMetadataTags="disabled")
    show("after a change of InstanceMetadataTags:", server)

    data = {"ImageId": image, "MetadataOptions": options}
    ec2.create_launch_template(LaunchTemplateName="base", LaunchTemplateData=data)
    show("from a template:", start(LaunchTemplate={"LaunchTemplateName": "base"}))
    version = ec2.create_launch_template_version(
        LaunchTemplateName="base", SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.nano"}
    )["LaunchTemplateVersion"]
    print("version from version 1:", version["LaunchTemplateData"])
PYTHON
cat seen.txt

cat >expected.txt <<'EXPECTED'
moto 5.2.5 boto3 1.44.5
started: required 2
after a change of InstanceMetadataTags: None 1
from a template: optional 1
version from version 1: {'InstanceType': 't3.nano'}
EXPECTED
cmp seen.txt expected.txt
