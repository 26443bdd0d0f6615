# The dev loop. `make` lists the targets; everything lives in .venv, made from the lock files at first use.

VENV := .venv
BIN := $(VENV)/bin
# An interpreter to use instead of the newest of 3.14 to 3.11 that works here.
PYTHON ?=
# What buf breaking compares with instead of the last release tag or the commit before.
AGAINST ?=
# Set to 1 to take newer versions when locking.
UPGRADE ?=
# Arguments for pytest: make test PYTEST="-k logs -x"
PYTEST ?=
# Languages of clients that `make sdk-test` runs; none: all.
LANGUAGES ?=
# Where `make sdk-test` runs the services: sqlite, postgres, or replicas, which are two servers on Postgres.
PLACE ?= sqlite
# Servers that `make chaos` (100) and `make chaos-cluster` (30) kill.
ROUNDS ?=
# Set to 1 to let `make audit` fail where nobody can be asked.
REQUIRED ?=
# Tries of each kind that `make fuzz` makes.
TRIES ?= 1000
# Requests that `make flood` sends.
REQUESTS ?= 1000000
# Restarts of the database among the faults of `make chaos-cluster`.
RESTARTS ?= 20

SOURCES := conftest.py execsvc clients/python tools $(wildcard tests benchmarks examples deploy)
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check lint types layers protos generated docs docs-generate fmt proto reference bench bench-full run-cluster chaos-cluster sdk-test chaos fuzz flood nightly lock sbom audit keep-database clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/ready-run  ## Run the triage example on a server of its own, with live progress
	$(BIN)/execsvc run examples/triage.json --input @examples/triage.input.json

test: $(VENV)/ready-dev  ## Run all tests
	$(BIN)/python -m pytest -n auto $(PYTEST)

check: lint types layers protos generated docs sbom audit test  ## All that CI runs

lint: $(VENV)/ready-dev  ## Lint and check the format
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: $(VENV)/ready-dev  ## Check types with mypy and pyright
	$(BIN)/mypy
	$(BIN)/pyright

layers: $(VENV)/ready-dev  ## Check that each layer imports only what is below it
	$(BIN)/lint-imports --no-logo

protos: $(VENV)/ready-dev  ## Lint the protos, check their format and that they break no client
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	PATH="$(CURDIR)/$(BIN):$$PATH" tools/check_breaking.sh $(AGAINST)

generated: $(VENV)/ready-dev  ## Check that generated code and pages are what protos, command line and node types give
	$(BIN)/python -m tools.client_code --check
	$(BIN)/python -m tools.docs --check

# Not quietly: strict mode counts only the warnings that are shown.
docs: $(VENV)/ready-dev  ## Build the documentation strictly into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "documentation: build/site/index.html"

docs-generate: $(VENV)/ready-dev  ## Write the generated pages of the documentation
	$(BIN)/python -m tools.docs

fmt: $(VENV)/ready-dev  ## Format code and protos
	$(BIN)/ruff check --fix-only --quiet $(SOURCES)
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/buf format --write

proto: $(VENV)/ready-dev  ## Generate the code of all clients from the protos
	$(BIN)/python -m tools.client_code

reference: $(VENV)/ready-dev  ## Write docs/configuration.md and the snapshots of every --help
	$(BIN)/python -m tools.configuration_reference
	EXECSVC_SNAPSHOTS=write $(BIN)/python -m pytest -q tests/unit/cli/test_help.py

bench: $(VENV)/ready-bench  ## Run the benchmarks, in some minutes
	$(BIN)/python -m benchmarks

bench-full: $(VENV)/ready-bench  ## Run them in the sizes that docs/performance.md speaks of, in hours
	$(BIN)/python -m benchmarks --full

run-cluster: $(VENV)/ready-dev  ## Start Postgres and three servers, kill one under load, and show who runs what
	$(BIN)/python -m tests.chaos.show

chaos-cluster: $(VENV)/ready-dev  ## Kill and suspend servers that share a database, and restart it (ROUNDS=30 RESTARTS=20)
	$(BIN)/python -m tests.chaos.cluster --rounds $(or $(ROUNDS),30) --restarts $(RESTARTS)

sdk-test: $(VENV)/ready-dev  ## Run the scenarios with the clients of all languages, and show them as a table (LANGUAGES="go java" PLACE=replicas)
	$(BIN)/python -m tests.sdk --place $(PLACE) $(LANGUAGES)

chaos: $(VENV)/ready-dev  ## Kill servers at random moments and look at what they leave (ROUNDS=100)
	$(BIN)/python -m tests.chaos.rounds --rounds $(or $(ROUNDS),100)

fuzz: $(VENV)/ready-dev  ## Send what nobody should send, TRIES=1000 times of each kind
	EXECSVC_FUZZ=$(TRIES) $(BIN)/python -m pytest -q --timeout 7200 tests/fuzz $(PYTEST)

flood: $(VENV)/ready-dev  ## Send a server REQUESTS=1000000 damaged requests with and without credentials
	EXECSVC_FLOOD=$(REQUESTS) $(BIN)/python -m pytest -q -s tests/fuzz/test_flood.py $(PYTEST)

nightly: chaos fuzz flood  ## Run chaos, fuzz, 10,000 steps of the model, and all checks of the clients
	EXECSVC_NIGHTLY=1 $(BIN)/python -m pytest -q -s tests/model tests/chaos/test_cluster.py tests/chaos/test_rounds.py \
		tests/upgrade tests/e2e/test_deploy.py tests/integration/gateway $(PYTEST)
	EXECSVC_NIGHTLY=1 EXECSVC_THOROUGH=1 $(BIN)/python -m pytest -q tests/sdk $(PYTEST)

lock: $(VENV)/ready-dev  ## Write the lock files anew (UPGRADE=1: with newer versions)
	$(COMPILE) --group build --group dev --output-file requirements/dev.lock pyproject.toml
	$(COMPILE) --constraint requirements/dev.lock --group build --output-file requirements/run.lock pyproject.toml
	$(COMPILE) --constraint requirements/dev.lock --group build --group dev --group bench --output-file requirements/bench.lock pyproject.toml
	$(COMPILE) --constraint requirements/dev.lock --group build --output-file requirements/build.lock
	$(COMPILE) --constraint requirements/dev.lock --extra postgres --extra otel --output-file requirements/image.lock pyproject.toml

sbom: $(VENV)/ready-dev  ## Write the bill of materials, CycloneDX, into build/execsvc.cdx.json
	$(BIN)/python -m tools.sbom build/execsvc.cdx.json

audit: $(VENV)/ready-dev  ## Ask whether vulnerabilities are known of what is locked (skipped where nobody can be asked)
	$(BIN)/python -m tools.audit $(if $(REQUIRED),--required)

keep-database: $(VENV)/ready-dev  ## Keep databases of the present schema for the tests of upgrades, with each new step of it
	$(BIN)/python -m tests.upgrade.keep

clean:  ## Remove the environment, caches and build results
	rm -rf $(VENV) build dist $(wildcard $(foreach made,build dist node_modules target,clients/*/$(made))) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find execsvc clients tests tools benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(VENV)/pyvenv.cfg:
	tools/make_venv.sh $(VENV) $(PYTHON)

# A stamp for each set of packages: `make run` needs no tools, `make test` does.
$(VENV)/ready-%: requirements/%.lock pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --require-hashes --requirement $<
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
