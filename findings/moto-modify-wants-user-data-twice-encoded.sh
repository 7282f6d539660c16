#!/bin/sh
# User data that boto3 starts an instance with is refused by moto when the same bytes are to replace
# it, unless they are encoded twice.
#
# One would expect: modify_instance_attribute takes the bytes as they are, as run_instances does.
# boto3 encodes both in base64, and EC2 decodes that once.
# What happens: moto decodes what boto3 encoded, then asks for base64 again. Given base64, which
# boto3 encodes a second time, moto stores it and returns it encoded once: a test passes for the
# call that would give a real server base64 text for user data.
# Who meets it: scripts that stop a server, change its user data and start it, tested with moto.
#
# Seen with moto 5.2.5, boto3 1.44.5.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet boto3==1.44.5 botocore==1.44.5 'moto[ec2]==5.2.5' 2>/dev/null
export AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=eu-central-1

venv/bin/python - >seen.txt 2>errors.txt <<'PYTHON' || { cat errors.txt && exit 1; }
from base64 import b64encode

import boto3
import moto
from botocore.exceptions import ClientError

script = b"#!/bin/sh\nexit 0\n"
print("moto", moto.__version__, "boto3", boto3.__version__)
with moto.mock_aws():
    ec2 = boto3.client("ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]

    def sent(params, **_):
        for name, value in params["body"].items():
            if name.startswith("UserData"):
                print(" sent:", value == b64encode(script).decode())

    ec2.meta.events.register("before-call.ec2", sent)

    def stored(server):
        attribute = ec2.describe_instance_attribute(InstanceId=server, Attribute="userData")
        return attribute["UserData"]["Value"] == b64encode(script).decode()

    print("run_instances, the script:")
    server = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, UserData=script)
    server = server["Instances"][0]["InstanceId"]
    print(" stored:", stored(server))
    ec2.stop_instances(InstanceIds=[server])
    for what, value in (("the script", script), ("base64 of the script", b64encode(script))):
        print(f"modify_instance_attribute, {what}:")
        try:
            ec2.modify_instance_attribute(InstanceId=server, UserData={"Value": value})
            print(" stored:", stored(server))
        except ClientError as error:
            print(" refused:", error.response["Error"]["Code"])
PYTHON
cat seen.txt

cat >expected.txt <<'EXPECTED'
moto 5.2.5 boto3 1.44.5
run_instances, the script:
 sent: True
 stored: True
modify_instance_attribute, the script:
 sent: True
 refused: InvalidUserData.Malformed
modify_instance_attribute, base64 of the script:
 sent: False
 stored: True
EXPECTED
cmp seen.txt expected.txt
