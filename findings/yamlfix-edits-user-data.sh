#!/bin/sh
# yamlfix edits the user data inside a CloudFormation template, so that cloud-init no longer knows
# it for its own.
#
# One would expect: a YAML formatter changes the layout of the document. The text of a block scalar
# (after `|`) is a value, and stays as it is.
# What happens: yamlfix works on lines. In the block it puts a space behind every # that starts a
# line, so `#cloud-config`, the line by which cloud-init knows cloud-config, becomes
# `# cloud-config`, and it turns `yes` and `no` behind a colon into `true` and `false`, also in the
# text of a file that a program of the server reads.
# Who meets it: a repository with yamlfix among its pre-commit hooks and user data in templates.
#
# Seen with yamlfix 1.19.1, PyYAML 6.0.3.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet yamlfix==1.19.1 PyYAML==6.0.3 2>/dev/null
venv/bin/pip list --disable-pip-version-check 2>/dev/null | grep -i -E '^(yamlfix|PyYAML) '

cat >template.yaml <<'YAML'
---
Resources:
  Server:
    Type: AWS::EC2::Instance
    Properties:
      ImageId: ami-12345678
      UserData:
        Fn::Base64: |
          #cloud-config
          write_files:
            - path: /etc/example/answers
              content: |
                accept licence: yes
YAML
venv/bin/yamlfix template.yaml 2>/dev/null
venv/bin/python - >user-data.txt <<'PYTHON'
import yaml

properties = yaml.safe_load(open("template.yaml"))["Resources"]["Server"]["Properties"]
print(properties["UserData"]["Fn::Base64"].rstrip())
PYTHON
cat user-data.txt

cat >expected.txt <<'EXPECTED'
# cloud-config
write_files:
  - path: /etc/example/answers
    content: |
      accept licence: true
EXPECTED
cmp user-data.txt expected.txt
