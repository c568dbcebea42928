# Almanac: every target is described by `make help`.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-system check-deploy prove bench bench-accuracy bench-zero-shot bench-generator bench-sums bench-training bench-tuned bench-serving bench-scale page-pictures lock clean

VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
BENCH_SERVING := .venv-bench-serving
CLIENTS := .venv-clients
RAY := .venv-ray
# neuralforecast needs it; tests/benchmarks/overrides.txt explains why it is not in the lock.
TORCH := 2.13.0
ARGS ?=
# Parquet files with unique_id, ds, y; published_monash.csv is next to the folder.
DATA ?= ../shared/data
# Parquet files of the same columns and an INDEX.csv: file, frequency, horizon, season.
SETS ?= $(DATA)/development
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
export PYTHONUTF8 := 1
# Where it is set, every process compiles all that it imports anew: 20 s for TensorFlow, in place of 5.
unexport PYTHONDONTWRITEBYTECODE

# The first Python of a supported version; each is run, because pyenv has shims for versions that are not installed.
FIND_PYTHON = for python in python3 python3.13 python3.12 python3.11; do \
	if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then echo $$python; exit; fi; done

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Create .venv from requirements.lock and install Almanac into it

demo: setup ## Train on real temperatures, serve, forecast, in up to 20 minutes (ARGS=--once: then stop; ARGS=--live: the live demo)
	@$(BIN)/almanac demo $(ARGS)

test: setup ## Lint, format, types, architecture, tests (needs only Python)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-system: setup ## Tests with real PostgreSQL, MLflow, Prometheus, nginx and Chromium
	@bash deploy/debian.sh
	$(BIN)/pytest -q -m system -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check-deploy: setup ## Start every container of docker-compose.yml as a process, train, forecast, retrain, kill each once
	@bash deploy/debian.sh
	$(BIN)/python -m deploy.check $(ARGS)

prove: setup $(CLIENTS)/.installed $(RAY)/.installed ## Long tests: soak, chaos, fuzz, composition; writes docs/proofs.md
	@bash deploy/debian.sh clients
	$(BIN)/pytest -q -s -m prove $(ARGS)

bench: setup $(BENCH)/.installed ## Accuracy and speed against other packages; writes docs/benchmarks.md
	@bash deploy/debian.sh
	$(BIN)/python -m tests.benchmarks.run --peers $(BENCH)/bin/python $(ARGS)

bench-accuracy: setup ## Accuracy on public data sets; writes docs/accuracy.md (DATA=folder, ARGS="--only tourism")
	$(BIN)/python -m tests.benchmarks.accuracy --data $(DATA) $(ARGS)

bench-zero-shot: setup ## The starter on benchmark sets it never saw; writes docs/starter.md (SETS=folder, ARGS="--only fred_md")
	$(BIN)/python -m tests.benchmarks.zero_shot --data $(SETS) $(ARGS)

bench-generator: setup ## What each kind of synthetic series gains; writes docs/starter.md (SETS=folder, ARGS="--starter D")
	$(BIN)/python -m tests.benchmarks.generator_parts --data $(SETS) $(ARGS)

bench-sums: setup ## Sums over the horizon on benchmark sets; writes docs/sums.md (SETS=folder, ARGS="--only fred_md")
	$(BIN)/python -m tests.benchmarks.sums --data $(SETS) $(ARGS)

bench-training: setup ## Where the seconds of a training go; writes docs/benchmarks.md (ARGS="--only 'one series'")
	$(BIN)/python -m tests.benchmarks.training_cost $(ARGS)

bench-tuned: setup ## starter_tuned and auto beside the starter; writes docs/ensembles.md (SETS=folder, ARGS="--only fred_md")
	$(BIN)/python -m tests.benchmarks.tuned --data $(SETS) $(ARGS)

bench-serving: setup $(BENCH_SERVING)/.installed ## Requests per second against other servers; writes docs/serving.md (ARGS="--quick")
	@bash deploy/debian.sh
	$(BIN)/python -m tests.benchmarks.serving.run --litserve $(BENCH_SERVING)/bin/python $(ARGS)

bench-scale: setup $(RAY)/.installed ## Scoring on both engines, cost as work grows; writes docs/scale.md (DATA=folder, ARGS="--only share")
	$(BIN)/python -m tests.benchmarks.scale.run --data $(DATA)/tourism_monthly.parquet $(ARGS)

page-pictures: setup ## Pictures of the page at / for the documents; writes docs/page-*.png
	@bash deploy/debian.sh
	$(BIN)/python -m tests.benchmarks.page_pictures

lock: ## Update the eight locks (needs uv)
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
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--constraint requirements.lock tests/benchmarks/serving/requirements.in -o tests/benchmarks/serving/requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		tests/clients/requirements.in -o tests/clients/requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--constraint requirements.lock tests/prove/ray.in -o tests/prove/ray.lock

clean: ## Remove environments, caches and data created here
	rm -rf $(VENV) $(BENCH) $(BENCH_SERVING) $(CLIENTS) $(RAY) almanac-data build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# Install the locked packages, again only when the lock changes. The lock is complete, so nothing is resolved. Without
# compilation this takes half the time; Python compiles modules when it imports them.
$(VENV)/.locked: requirements.lock
	@$(call make_venv,$(VENV))
	@echo "setup: installing the locked packages into $(VENV) (a minute or two) …"
	@$(BIN)/python -m pip install --quiet --no-compile --no-deps --require-hashes -r requirements.lock
	@touch $@

# Install Almanac itself; setuptools is in the lock, so nothing is downloaded to build it.
$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(BENCH)/.installed: tests/benchmarks/requirements.lock
	@$(call make_venv,$(BENCH))
	@echo "bench: installing the other packages into $(BENCH) …"
	@$(BENCH)/bin/python -m pip install --quiet torch==$(TORCH)
	@$(BENCH)/bin/python -m pip install --quiet --require-hashes --no-deps -r tests/benchmarks/requirements.lock
	@touch $@

$(BENCH_SERVING)/.installed: tests/benchmarks/serving/requirements.lock
	@$(call make_venv,$(BENCH_SERVING))
	@echo "bench-serving: installing LitServe into $(BENCH_SERVING) …"
	@$(BENCH_SERVING)/bin/python -m pip install --quiet --require-hashes --no-deps -r tests/benchmarks/serving/requirements.lock || \
		echo "bench-serving: LitServe cannot be installed; the page will say so."
	@touch $@

# Nixtla's, KServe's and Triton's clients need pandas 2.
$(CLIENTS)/.installed: tests/clients/requirements.lock
	@$(call make_venv,$(CLIENTS))
	@echo "prove: installing other people's clients into $(CLIENTS) …"
	@$(CLIENTS)/bin/python -m pip install --quiet --no-compile --no-deps --require-hashes -r tests/clients/requirements.lock
	@touch $@

# All of .venv, and beside it what the engine ray needs.
$(RAY)/.installed: $(VENV)/.installed tests/prove/ray.lock
	@$(call make_venv,$(RAY))
	@echo "prove: installing Ray into $(RAY) …"
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > $$($(RAY)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/almanac.pth
	@$(RAY)/bin/python -m pip install --quiet --require-hashes --no-deps -r tests/prove/ray.lock
	@touch $@

define make_venv
if ! $(1)/bin/python -c '' 2>/dev/null; then \
	python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then echo "setup: no Python 3.11, 3.12 or 3.13 on the path. Install one of them." >&2; exit 1; fi; \
	echo "setup: creating $(1) with $$($$python --version)"; \
	if ! $$python -m venv --clear $(1); then echo "setup: $$python cannot create a virtual environment. On Debian install python3-venv." >&2; exit 1; fi; \
fi
endef
