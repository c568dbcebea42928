# Almanac: every target is described by `make help`.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-system prove bench bench-accuracy lock clean

VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
# What neuralforecast runs on; tests/benchmarks/overrides.txt says why it is not in the lock.
TORCH := 2.13.0
ARGS ?=
# Parquet files unique_id, ds, y; published_monash.csv lies beside the folder.
DATA ?= ../shared/data
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
export PYTHONUTF8 := 1

# The first Python that this project runs on; pyenv's shims stand on the path for versions that are not there.
FIND_PYTHON = for python in python3 python3.13 python3.12 python3.11; do \
	if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then echo $$python; exit; fi; done

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Make .venv from requirements.lock, and install Almanac into it

demo: setup ## Train on real temperatures, serve, forecast (ARGS=--once: then stop; ARGS=--live: through a break to recovery)
	@$(BIN)/almanac demo $(ARGS)

test: setup ## The gate: lint, format, types, architecture, tests (needs only Python)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -n 2 --dist loadfile $(ARGS)

test-system: setup ## The gate's second half: real PostgreSQL, Prometheus, nginx and Chromium
	@bash deploy/debian.sh
	$(BIN)/pytest -q -m system $(ARGS)

prove: setup ## Soak, chaos, fuzz, composition: long, and its figures go into docs/proofs.md
	@bash deploy/debian.sh
	$(BIN)/pytest -q -s -m prove $(ARGS)

bench: setup $(BENCH)/.installed ## Accuracy and speed beside the peers, in an environment of their own
	@bash deploy/debian.sh
	$(BIN)/python -m tests.benchmarks.run --peers $(BENCH)/bin/python $(ARGS)

bench-accuracy: setup ## The accuracy record into docs/accuracy.md, one set after another (DATA=folder, ARGS="--only tourism")
	$(BIN)/python -m tests.benchmarks.accuracy --data $(DATA) $(ARGS)

lock: ## Make the five locks again (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--extra train --extra dev pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--constraint requirements.lock pyproject.toml -o deploy/docker/service.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--constraint requirements.lock --extra train pyproject.toml -o deploy/docker/training.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--constraint requirements.lock deploy/docker/build.in -o deploy/docker/build.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--override tests/benchmarks/overrides.txt tests/benchmarks/requirements.in -o tests/benchmarks/requirements.lock

clean: ## Remove the environments, caches and data made here
	rm -rf $(VENV) $(BENCH) almanac-data build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# The locked packages, again only when the lock changes. The lock is whole, so nothing is resolved; Python compiles what it
# imports when it imports it, which halves the time this takes.
$(VENV)/.locked: requirements.lock
	@$(call make_venv,$(VENV))
	@echo "setup: installing the locked packages into $(VENV) (a minute or two) …"
	@$(BIN)/python -m pip install --quiet --no-compile --no-deps --require-hashes -r requirements.lock
	@touch $@

# Almanac itself: setuptools is in the lock, so nothing is fetched to build it.
$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(BENCH)/.installed: tests/benchmarks/requirements.lock
	@$(call make_venv,$(BENCH))
	@echo "bench: installing the peers into $(BENCH) …"
	@$(BENCH)/bin/python -m pip install --quiet torch==$(TORCH)
	@$(BENCH)/bin/python -m pip install --quiet --require-hashes --no-deps -r tests/benchmarks/requirements.lock
	@touch $@

define make_venv
if ! $(1)/bin/python -c '' 2>/dev/null; then \
	python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then echo "setup: Almanac needs Python 3.11, 3.12 or 3.13, and found none on the path." >&2; exit 1; fi; \
	echo "setup: making $(1) with $$($$python --version)"; \
	if ! $$python -m venv --clear $(1); then echo "setup: $$python cannot make a virtual environment; on Debian install python3-venv." >&2; exit 1; fi; \
fi
endef
