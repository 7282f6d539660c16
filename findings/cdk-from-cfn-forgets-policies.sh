#!/bin/sh
# cdk-from-cfn, the engine of "cdk migrate", leaves out what guards a resource while it is replaced.
#
# One would expect: attributes of a resource beside its properties arrive in the code, as UpdatePolicy
# and DeletionPolicy do, and a condition stays a condition of the template.
# What happens: CreationPolicy and UpdateReplacePolicy are gone without a word, and so is a
# parameter's AllowedPattern. A condition on the region is decided by Python at synth, where the
# region of an environment-agnostic stack is a token and equals nothing: the resource never is in
# the template. A template with MetadataOptions on an instance is refused as unknown.
# Who meets it: whoever migrates a stack with a resource that is to outlive its replacement, or with
# an Auto Scaling group that waits for signals.
#
# Seen with cdk-from-cfn 0.334.0.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --prefix "$work" cdk-from-cfn@0.334.0 >/dev/null 2>&1

cat >migrate.js <<'JAVASCRIPT'
const { transmute } = require("cdk-from-cfn");
const template = {
  Parameters: { Zone: { Type: "String", AllowedPattern: "eu-central-1[abc]" } },
  Conditions: { Home: { "Fn::Equals": [{ Ref: "AWS::Region" }, "eu-central-1"] } },
  Resources: {
    Servers: {
      Type: "AWS::AutoScaling::AutoScalingGroup",
      Condition: "Home",
      CreationPolicy: { ResourceSignal: { Timeout: "PT5M" } },
      UpdatePolicy: { AutoScalingRollingUpdate: { MinInstancesInService: 1 } },
      DeletionPolicy: "Retain",
      UpdateReplacePolicy: "Retain",
      Properties: {
        MinSize: "1",
        MaxSize: "2",
        AvailabilityZones: [{ Ref: "Zone" }],
        InstanceId: "i-1234567890abcdef0",
      },
    },
  },
};
const instance = {
  Type: "AWS::EC2::Instance",
  Properties: { ImageId: "ami-12345678", MetadataOptions: { HttpTokens: "required" } },
};
const python = (content) => transmute(JSON.stringify(content), "python", "Demo", "stack");
console.log("cdk-from-cfn", require("cdk-from-cfn/package.json").version);
const code = python(template);
for (const kept of [
  "update_policy", "deletion_policy", "creation_policy", "update_replace_policy",
  "[abc]", "CfnCondition",
]) console.log(kept, code.includes(kept));
console.log(code.split("\n").find((line) => line.includes("region")).trim());
try {
  python({ Resources: { Server: instance } });
  console.log("MetadataOptions: taken");
} catch (error) {
  console.log(String(error));
}
JAVASCRIPT
node migrate.js >seen.txt
cat seen.txt

cat >expected.txt <<'EXPECTED'
cdk-from-cfn 0.334.0
update_policy true
deletion_policy true
creation_policy false
update_replace_policy false
[abc] false
CfnCondition false
home = self.region == 'eu-central-1'
Error: MetadataOptions is not a valid property for resource Server of type AWS::EC2::Instance
EXPECTED
cmp seen.txt expected.txt
