# `make demo` and `make test` do everything from nothing: they need Python 3.11 or later, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := --config examples/tollbook.toml --as-of 2026-10-31T07:00:00Z
LOGS := examples/logs/.made

.PHONY: demo test check lint lock wheel-test bench clean help

help:  ## say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ —/'

demo: $(READY) $(LOGS)  ## the main job on a synthetic month: ingest, check, report
	@$(BIN)/tollbook ingest $(DEMO)
	@echo
	@$(BIN)/tollbook check $(DEMO)
	@echo
	@$(BIN)/tollbook report daily $(DEMO)

test: $(READY)  ## the whole test suite
	$(BIN)/python -m pytest -n auto --dist worksteal -q $(PYTEST_ARGS)

check: lint test  ## what every commit must pass

lint: $(READY)  ## format, lint, types, import contracts, dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/lint-imports
	$(BIN)/deptry .

lock: $(READY)  ## resolve the dependencies anew into requirements.lock, with hashes
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/python -m piptools compile --upgrade --generate-hashes \
		--allow-unsafe --strip-extras --all-extras --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --quiet --output-file requirements.lock pyproject.toml

wheel-test: $(READY)  ## the tests against the built wheel in a clean environment, the sources absent
	.ci/wheel-test $(BIN)/python

bench: $(READY)  ## ingest speed against the naive way, in one run
	$(BIN)/python -m benchmarks.ingest

clean:  ## remove what the other targets made
	rm -rf $(VENV) var examples/logs build dist

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "tollbook needs Python 3.11 or later; say which with: make PYTHON=python3.12 ..." >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked versions into $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(LOGS): $(wildcard examples/*.py) | $(READY)
	@$(BIN)/python -m examples.generate --quiet
	@touch $@
