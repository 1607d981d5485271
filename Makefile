# The first commands are `make table1` and `make all`; what comes after `make test` is for those who work on the code.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The first that starts: a command of this name may be a wrapper around nothing.
SYSTEM_PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	$$name -c '' 2> /dev/null && command -v $$name && break; done)

# One thread a process: tests and jobs run side by side.
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## List what can be made
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: environment
environment: $(READY) ## Make .venv with the packages of requirements.lock and the project itself

# TORCH_INDEX is the address of an index with other builds of torch, such as PyTorch's own without CUDA. Their hashes are
# not in the lock; everything else comes from it.
TORCH := $(shell sed -nE 's/^(torch|torchvision)==([0-9.]+).*/\1==\2/p' requirements.lock)
REST := $(VENV)/rest.lock

# The stamp comes last, so that an installation that was cut off starts anew.
$(READY): requirements.lock pyproject.toml
	@test -n "$(SYSTEM_PYTHON)" || { echo "no Python found: make SYSTEM_PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(SYSTEM_PYTHON) workflow/scripts/check_python.py
	$(SYSTEM_PYTHON) -m venv $(VENV)
ifdef TORCH_INDEX
	$(BIN)/python -m pip install --quiet --no-deps --index-url $(TORCH_INDEX) $(TORCH)
	awk '/^[a-z]/ { rest = !/^(torch|torchvision|triton|nvidia-|cuda-)/ } rest' requirements.lock > $(REST)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement $(REST)
else
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
endif
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: table1
table1: $(READY) ## From nothing to results/table1.csv and .md
	$(BIN)/snakemake results/table1.csv --cores all --rerun-incomplete --quiet host reason
	@$(BIN)/multitrain show table1

.PHONY: all
all: $(READY) ## From nothing to results/index.html: all tables, claims, figures and notebooks
	$(BIN)/snakemake --cores all --rerun-incomplete --quiet host reason

# Ten seeds in two worlds. SEEDS names others: make desk SEEDS=3, or on one machine SEEDS=0,1,2,3,4 and on another the rest.
SEEDS ?= 0,1,2,3,4,5,6,7,8,9
DESK := --config scale=desk results=results/desk 'seeds=[$(SEEDS)]'

.PHONY: desk
desk: $(READY) ## The study of scale desk, to results/desk/index.html: stopped, it goes on; runs that were copied there are taken
	$(BIN)/snakemake --cores all --rerun-incomplete --quiet host reason $(DESK)

.PHONY: sweep
sweep: $(READY) ## When does joint training help? Print the cost, then make results/desk/when_it_helps.md, .csv and .png
	$(BIN)/snakemake --cores all --rerun-incomplete --quiet host reason --config scale=desk results=results/desk \
	  -- results/desk/when_it_helps.md

# Their times are made one, after the clips': nothing that was copied is older than what it was made of.
.PHONY: desk-copied
desk-copied: $(READY) ## After results/desk/runs was copied here from another machine: its trainings and answers count as made here
	$(BIN)/snakemake datasets --cores all --rerun-incomplete --quiet host reason $(DESK)
	touch results/desk/runs && find results/desk/runs -type f -exec touch -r results/desk/runs {} +

# Without these names Snakemake packs everything, and fails where some of it has not been made.
REPORTED = $(wildcard results/report.html results/index.html results/table[1-4].csv results/claims.csv results/projection_recovery.csv \
  results/datasets.csv results/figures/*.png results/notebooks/*.html)

.PHONY: published
published: $(READY) ## After a seed was packed into docs/notes: docs/example and the pages that say what the seeds give
	$(BIN)/python -m dev.example.publish
	$(BIN)/python -m dev.pages.desk
	$(BIN)/python -m dev.pages.when_it_helps
	$(BIN)/python -m dev.pages.first_screen
	$(BIN)/python -m dev.pages.cost

.PHONY: report
report: $(READY) ## Pack what there is into one file, report.html
	@test -n "$(REPORTED)" || { echo "results: nothing to pack yet: make table1, or make all" >&2; exit 1; }
	$(BIN)/snakemake --report report.html $(REPORTED)

.PHONY: test
test: $(READY) ## Run the tests that take seconds
	$(BIN)/python -m pytest -n logical --dist loadgroup -m "not slow"

.PHONY: test-slow
test-slow: $(READY) ## Run the tests that take longer
	$(BIN)/python -m pytest -n logical --dist loadgroup -m slow

.PHONY: test-all
test-all: test test-slow ## Run all tests

.PHONY: lint
lint: $(READY) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy

.PHONY: bench
bench: $(READY) ## Measure training steps: against the plain model, its memory, and Vanilla's
	$(BIN)/python -m dev.bench.step

.PHONY: bench-data
bench-data: $(READY) ## Measure transcoding, decoding, and loading a large manifest
	$(BIN)/python -m dev.bench.data

.PHONY: config-reference
config-reference: $(READY) ## Write config/README.md, every key of the configuration, from the settings' classes
	$(BIN)/python -m dev.pages.config_reference

.PHONY: architecture
architecture: $(READY) ## Draw docs/architecture from the code: the flow and the layers
	$(BIN)/python -m dev.pages.architecture

# uv in an environment of its own: it resolves for all systems and Pythons at once.
UV := $(VENV)/uv/bin/uv

$(UV):
	$(SYSTEM_PYTHON) -m venv $(VENV)/uv
	$(VENV)/uv/bin/python -m pip install --quiet uv

.PHONY: lock
lock: $(UV) ## Write requirements.lock; versions that still fit stay, with UPGRADE=1 all become the newest
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
	  $(if $(UPGRADE),--upgrade) --extra dev pyproject.toml --output-file requirements.lock

# connection-pool is published as source alone, a module of pure Python.
WHEELS := --only-binary :all: --no-binary connection-pool

.PHONY: gpu
gpu: $(READY) ## Run tests/gpu on this machine's accelerator; what it measures goes into docs/reference/estimate.md
	$(BIN)/python dev/gpu.py

.PHONY: check-lock
check-lock: $(UV) ## See that every package of the lock has a wheel, for each Python and system it is meant for
	@for python in 3.11.2 3.12 3.13; do for system in x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu aarch64-apple-darwin; \
	  do echo "$$python $$system"; done; done \
	| MACOSX_DEPLOYMENT_TARGET=14.0 xargs -n 2 -P 9 sh -c '$(UV) pip compile --quiet --no-deps $(WHEELS) \
	  --python-version $$0 --python-platform $$1 requirements.lock > /dev/null && echo "resolves for Python $$0, $$1"'

.PHONY: clean
clean: ## Remove the environment and caches; data and results stay
	rm -rf $(VENV) build .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
