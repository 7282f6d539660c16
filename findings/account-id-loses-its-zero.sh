#!/bin/sh
# An AWS account id with a leading zero, or a commit's short hash such as 12e4567, loses its value
# between two YAML libraries.
#
# One would expect: what PyYAML writes for a string, another YAML library reads as that string.
# What happens: PyYAML quotes a string only where PyYAML itself, a YAML 1.1 reader, would not read
# it back as one. 012345678901 has an 8 or 9 in it, so it is no octal number to YAML 1.1 and stays
# plain; a YAML 1.2 reader takes it for a decimal number. 12e4567 has no dot, so YAML 1.1 takes it
# for text; YAML 1.2 takes it for a float, which overflows (js-yaml leaves this one a string).
# Who meets it: a CloudFormation template with an account id as a mapping value or a principal,
# written by Python tools and read by a JavaScript one.
#
# Seen with PyYAML 6.0.3, ruamel.yaml 0.19.1, js-yaml 4.3.2.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet PyYAML==6.0.3 ruamel.yaml==0.19.1 2>/dev/null
npm install --silent --no-audit --no-fund --prefix "$work" js-yaml@4.3.2 >/dev/null 2>&1

venv/bin/python - >written.yaml <<'PYTHON'
import yaml

print(yaml.safe_dump({"Account": "012345678901", "Commit": "12e4567"}), end="")
PYTHON
echo 'written by PyYAML:'
cat written.yaml

venv/bin/python - >read.txt <<'PYTHON'
import yaml
from ruamel.yaml import YAML

text = open("written.yaml").read()
print("PyYAML", *yaml.safe_load(text).values())
print("ruamel.yaml", *YAML(typ="safe").load(text).values())
PYTHON
node -e '
const read = require("js-yaml").load(require("fs").readFileSync("written.yaml", "utf8"));
console.log("js-yaml", read.Account, read.Commit);
' >>read.txt
cat read.txt

cat >expected.txt <<'EXPECTED'
PyYAML 012345678901 12e4567
ruamel.yaml 12345678901 inf
js-yaml 12345678901 12e4567
EXPECTED
cmp read.txt expected.txt
