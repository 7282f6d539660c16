#!/bin/sh
# sarif-tools counts a finding that was accepted, or that is no longer there, as open.
#
# One would expect: a result with an accepted suppression, or with the baseline state "absent", is no
# problem of today: SARIF 2.1.0 has these properties to say so.
# What happens: the summary counts both under the rule's default level, and --check fails the build.
# What the kind of a result says is heeded: "pass" and "notApplicable" are not counted.
# Who meets it: a pipeline that sets the threshold of a scanner's SARIF file with sarif-tools.
#
# Seen with sarif-tools 3.0.5.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet sarif-tools==3.0.5 2>/dev/null
venv/bin/sarif --version >seen.txt

while read -r name extra; do
    cat >"$name.sarif" <<SARIF
{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "scanner", "rules": [
  {"id": "OpenPort", "defaultConfiguration": {"level": "error"}}]}},
  "results": [{"ruleId": "OpenPort", "ruleIndex": 0, "message": {"text": "port 22"}, $extra}]}]}
SARIF
    status=0
    venv/bin/sarif --check error summary "$name.sarif" >summary.txt 2>&1 || status=$?
    echo "$name: $(grep '^error: ' summary.txt), exit status $status"
done >>seen.txt <<'RESULTS'
open "kind": "fail"
accepted "suppressions": [{"kind": "external", "status": "accepted"}]
passed "kind": "pass"
elsewhere "kind": "notApplicable"
gone "baselineState": "absent"
RESULTS
cat seen.txt

cat >expected.txt <<'EXPECTED'
SARIF tools v3.0.5
open: error: 1, exit status 1
accepted: error: 1, exit status 1
passed: error: 0, exit status 0
elsewhere: error: 0, exit status 0
gone: error: 1, exit status 1
EXPECTED
cmp seen.txt expected.txt
