# Everything runs in .venv; every target prints what it does. Start with `make demo` or `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready
# Compiled once, not in every run: half of what starting the tests takes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-slow test-long conformance lint types check package bench bench-continuity clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: $(STAMP) ## Create .venv with everything pinned in requirements-dev.txt

$(STAMP): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v[:2] <= (3, 13) else f"Python 3.11, 3.12 or 3.13 is needed; {sys.executable} is {v[0]}.{v[1]}. Set PYTHON=...")'
	@echo "Setting up .venv with $$($(PYTHON) --version) (about a minute the first time)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --requirement requirements-dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## Play the main job on a small ROSA on this machine: no AWS account, no cluster
	@$(BIN)/python -m sandbox demo

test: setup lint types ## Lint, types, import contract and all fast tests
	@echo "Running the tests"
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal -m 'not slow'

test-slow: setup ## The tests that take minutes: the packaged zip under the real runtime client
	@echo "Running the slow tests"
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --timeout=900 -m 'slow and not long'

test-long: setup ## The whole fault matrix: a visit broken at each of its calls, in every way; KEEPER_FAULTS_SHARE=3:TEXT plays a third
	@echo "Breaking every call of a visit"
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal --timeout=3600 -m long

conformance: setup ## Hold simulator and product to a real kube-apiserver, built with Go or from KUBEBUILDER_ASSETS
	@$(BIN)/python -m conformance

lint: setup
	@echo "Checking format, lint and imports"
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-logo 2>&1 | tail -n 3

types: setup
	@echo "Checking types"
	@$(BIN)/mypy

package: setup ## Build what an operator deploys with CloudFormation, into build/package
	@$(BIN)/python -m tools.package

bench: setup ## Compare with what a user would do instead; prints ratios and machine facts
	@$(BIN)/python -m bench

bench-continuity: setup ## The same troubles with the tool and without on virtual time; needless and missed messages
	@$(BIN)/python -m bench.continuity
	@$(BIN)/python -m bench.continuity.alarms

lock: ## Resolve requirements*.in anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header requirements-dev.in -o requirements-dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header -c requirements-dev.txt requirements.in -o requirements.txt

clean: ## Remove everything that was built
	rm -rf .venv build .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage *.egg-info
