#!/bin/sh
# parliament stops with a TypeError at a condition whose number is written as a JSON number.
#
# One would expect: a value without quotes is analysed like one with quotes, or is a finding: the
# grammar of IAM policies allows numbers and booleans as values of a condition.
# What happens: for the number, an error of Python's `re` module and no findings at all, also for
# the other statements.
# Who meets it: policies that limit the hop limit of an instance's metadata, written by hand or by
# the CDK, which keeps the type that it is given.
#
# Seen with parliament 1.6.4.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet setuptools==80.9.0 parliament==1.6.4 2>/dev/null

venv/bin/python -W ignore - >seen.txt <<'PYTHON'
import json
from importlib.metadata import version

import parliament

print("parliament", version("parliament"))
for value in ("1", 1):
    condition = {"NumericLessThanEquals": {"ec2:MetadataHttpPutResponseHopLimit": value}}
    allowed = {"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [{**allowed, "Condition": condition}]}
    try:
        analysed = parliament.analyze_policy_string(json.dumps(policy))
        print(repr(value), "findings:", [finding.issue for finding in analysed.findings])
    except TypeError as error:
        print(repr(value), "TypeError:", error)
PYTHON
cat seen.txt

cat >expected.txt <<'EXPECTED'
parliament 1.6.4
'1' findings: ['RESOURCE_STAR']
1 TypeError: expected string or bytes-like object, got 'int'
EXPECTED
cmp seen.txt expected.txt
