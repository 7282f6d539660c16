#!/bin/sh
# pre-commit starts a hook that asks to run once, more than once.
#
# One would expect: a hook with `require_serial: true` is one process that gets all of the files, so
# that it can compare them.
# What happens: it is one process at a time. Beyond 131,072 bytes of command line, which Linux takes
# easily, pre-commit starts the hook again with the next files, and each start sees its part only.
# Who meets it: a check over a whole repository, such as that no two templates have one name, once
# the repository has grown to some thousand files.
#
# Seen with pre-commit 4.7.0.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet pre-commit==4.7.0 2>/dev/null
export PRE_COMMIT_HOME="$work/cache"
git init --quiet repository
cd repository
cat >.pre-commit-config.yaml <<'YAML'
repos:
  - repo: local
    hooks:
      - id: once
        name: once
        language: unsupported
        entry: sh -c 'echo "started with $# templates"' --
        files: ^templates/
        require_serial: true
        verbose: true
YAML
mkdir templates

try() {
    seq -f "templates/service-with-a-rather-long-name-%05g.yaml" "$1" | xargs touch
    git add .
    ../venv/bin/pre-commit run --all-files </dev/null >../run.txt 2>&1
    grep started ../run.txt >&2
    echo "$1 templates: $(grep -c started ../run.txt) start(s)"
}
{
    ../venv/bin/pre-commit --version
    try 1000
    try 3000
} >../seen.txt
cat ../seen.txt

cat >../expected.txt <<'EXPECTED'
pre-commit 4.7.0
1000 templates: 1 start(s)
3000 templates: 2 start(s)
EXPECTED
cmp ../seen.txt ../expected.txt
