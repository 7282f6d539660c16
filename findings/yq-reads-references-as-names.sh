#!/bin/sh
# yq (the one on PyPI) reads the short forms of CloudFormation as plain text, and writes that back.
#
# One would expect: a tag that a YAML tool does not know is kept, or is an error.
# What happens: `!Ref Subnet` is read as the text "Subnet", `!Sub` and `!GetAtt` likewise, without a
# warning. A template edited with `yq -y` loses all of its references; it is still valid YAML.
# Who meets it: scripts that read or set one value in a template.
#
# Seen with yq 4.4.5, PyYAML 6.0.3. yq runs a program jq; the expressions here are its identity, so
# `cat` stands in for it.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet yq==4.4.5 PyYAML==6.0.3 2>/dev/null
venv/bin/pip list --disable-pip-version-check 2>/dev/null | grep -i -E '^(yq|PyYAML) '
mkdir bin
printf '#!/bin/sh\nexec cat\n' >bin/jq
chmod +x bin/jq
PATH=$work/bin:$PATH

cat >template.yaml <<'YAML'
Resources:
  Server:
    Type: AWS::EC2::Instance
    Properties:
      ImageId: ami-12345678
      SubnetId: !Ref Subnet
      SecurityGroupIds: [!GetAtt Group.GroupId]
      IamInstanceProfile: !Sub "${Owner}-profile"
YAML
venv/bin/yq -y . template.yaml >seen.txt
cat seen.txt

cat >expected.txt <<'EXPECTED'
Resources:
  Server:
    Type: AWS::EC2::Instance
    Properties:
      ImageId: ami-12345678
      SubnetId: Subnet
      SecurityGroupIds:
        - Group.GroupId
      IamInstanceProfile: ${Owner}-profile
EXPECTED
cmp seen.txt expected.txt
