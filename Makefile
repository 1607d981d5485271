# The first commands are `make table1` and `make all`; what comes after `make test` is for those who work on the code.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SYSTEM_PYTHON ?= $(shell command -v python3.11 || command -v python3)

# One thread a process: tests and jobs run side by side.
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## List what can be made
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: environment
environment: $(READY) ## Make .venv with the packages of requirements.lock and the project itself

# The stamp comes last, so that an installation that was cut off starts anew.
$(READY): requirements.lock pyproject.toml
	@$(SYSTEM_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "multitrain needs Python 3.11 or later: make SYSTEM_PYTHON=python3.12")'
	$(SYSTEM_PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: table1
table1: $(READY) ## From nothing to results/table1.csv and .md
	$(BIN)/snakemake results/table1.csv --cores all --rerun-incomplete --quiet host reason

.PHONY: all
all: $(READY) ## From nothing to results/index.html: all tables, claims, figures and notebooks
	$(BIN)/snakemake --cores all --rerun-incomplete --quiet host reason

# Without these names Snakemake packs everything, and fails where some of it has not been made.
REPORTED = $(wildcard results/index.html results/table[1-4].csv results/claims.csv results/projection_recovery.csv \
  results/datasets.csv results/figures/*.png results/notebooks/*.html)

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
lint: $(READY) ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow

.PHONY: bench
bench: $(READY) ## Measure training steps: against the plain model, its memory, and Vanilla's
	$(BIN)/python -m tests.bench.step

.PHONY: bench-data
bench-data: $(READY) ## Measure transcoding, decoding, and loading a large manifest
	$(BIN)/python -m tests.bench.data

.PHONY: schemas
schemas: $(READY) ## Write workflow/schemas from multitrain/config.py
	$(BIN)/python -m multitrain.schemas workflow/schemas

# Local builds are cut off: the file holds names and versions and nothing else.
.PHONY: lock
lock: ## Write requirements.lock from the newest versions that pyproject.toml allows
	$(SYSTEM_PYTHON) -m venv --clear $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet setuptools --editable '.[dev]'
	{ head -n 1 requirements.lock; \
	  $(VENV)/lock/bin/python -m pip freeze --all --exclude-editable --exclude pip --exclude wheel \
	  | sed -E 's/\+[a-z0-9.]+$$//; s/^((cuda|nvidia|triton)[^ ]*)$$/\1 ; sys_platform == "linux"/'; } > $(VENV)/new.lock
	mv $(VENV)/new.lock requirements.lock
	rm -rf $(VENV)/lock

.PHONY: clean
clean: ## Remove the environment and caches; data and results stay
	rm -rf $(VENV) build .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
