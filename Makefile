# Run `make` alone for the list of targets.
SHELL := /bin/bash
PYTHON ?= python3
PY := .venv/bin/python
CDK := node_modules/.bin/cdk
# The CDK runs on Debian's Node 20; what it says about that on every call would hide its own errors.
export NODE_NO_WARNINGS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-full mutants soak check synth deploy destroy bench lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## everything this clone needs: virtual environments, the CDK command line, Debian packages
	@scripts/setup.sh

demo: setup ## three tills, 600 real baskets, an outage and a power cut: proof that the cloud has every sale once (KEEP=1 stops before destroy)
	@$(PY) -m twin.demo $(if $(KEEP),--keep)

test: setup ## unit, contract, cloud, device and browser tests (at most 20 minutes on 2 cores)
	@$(PY) -m pytest -n 2 --dist worksteal -m "not slow"

test-full: setup ## everything, slow tests too
	@$(PY) -m pytest -n 2 --dist loadfile

mutants: setup ## faults put into the code on purpose: each must be noticed by the tests that it names
	@$(PY) -m tests.mutants

MINUTES ?= 30
soak: setup ## sell for MINUTES (30) through a link that flaps, then prove that nothing is lost or doubled
	@$(PY) -m tests.soak --minutes $(MINUTES)

check: setup ## lint, types, import contracts, shell scripts, templates
	@scripts/check.sh

synth: setup ## synthesize the CloudFormation templates into cdk.out/ (no credentials, no network)
	@$(PY) -m greentill release build && $(CDK) synth --quiet

deploy: setup ## build, then cdk deploy --all
	@$(PY) -m greentill release build && $(CDK) deploy --all --require-approval never

destroy: setup ## cdk destroy --all: nothing is left
	@$(CDK) destroy --all --force

bench: setup ## measure against goals; figures in build/bench.json (FULL=1: the sample counts of docs/benchmarks.md)
	@$(PY) -m greentill release build >/dev/null && $(PY) -m benchmarks $(if $(FULL),--full)

lock: ## lock requirements/*.in again
	@scripts/lock.sh

clean: ## remove what was built here (the caches of Debian roots stay)
	rm -rf build dist cdk.out
