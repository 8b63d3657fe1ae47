# Every target works alone on a fresh clone: it makes .venv and installs what it needs, and again only when
# pyproject.toml or constraints.txt has changed. Only make and Python >= 3.11 have to be there.

PYTHON ?= python3
ARGS ?=
PIP_ARGS ?=

BIN := .venv/bin
VENV := .venv/.created
BASE := .venv/.installed-base
DEV := .venv/.installed-dev
BENCH := .venv/.installed-bench
INPUTS := pyproject.toml constraints.txt
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet $(PIP_ARGS) -c constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

.PHONY: help
help: ## Show this list
	@echo "Usage: make TARGET [ARGS='extra arguments'] [PYTHON=python3.12]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' "$(firstword $(MAKEFILE_LIST))"

.PHONY: run
run: $(BASE) ## Run the whole pipeline once on the sample data
	@$(BIN)/feedback-pipeline run --sample $(ARGS)

.PHONY: dev
dev: $(BASE) ## Start the development servers, with reload
	@$(BIN)/feedback-pipeline dev $(ARGS)

.PHONY: test
test: export HF_HUB_OFFLINE = 1
test: $(DEV) ## Run the tests, a file per processor at a time; e.g. make test ARGS='-k dedup -x -n 0'
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: check
check: $(DEV) ## Check style, formatting and types; changes nothing
	@echo "==> ruff check"
	@$(BIN)/ruff check .
	@echo "==> ruff format --check"
	@$(BIN)/ruff format --check .
	@echo "==> pyright"
	@$(BIN)/pyright --pythonpath $(BIN)/python

.PHONY: bench
bench: $(BENCH) ## Run the benchmarks, e.g. make bench ARGS='--help'
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: format
format: $(DEV) ## Fix style and formatting in place
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: clean
clean: ## Remove .venv, caches and build output; data/ stays
	@echo "==> removing .venv, caches and build output"
	@rm -rf .venv .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	@find . -name .git -prune -o -name data -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

$(VENV):
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { \
	  echo "$(PYTHON) was not found. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is $$("$(PYTHON)" --version 2>&1): this project needs Python 3.11 or newer." >&2; \
	  echo "Name another one: make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	@echo "==> creating .venv with $$("$(PYTHON)" --version 2>&1)"
	@"$(PYTHON)" -m venv .venv || { \
	  echo "Could not create .venv. On Debian and Ubuntu the package python3-venv has to be installed." >&2; \
	  exit 1; }
	@touch $@

$(BASE): $(VENV) $(INPUTS)
	@echo "==> installing the project into .venv (the first time takes a few minutes)"
	@$(PIP) -e '.[pipeline]'
	@touch $@

$(DEV): $(VENV) $(INPUTS)
	@echo "==> installing the project and its development tools into .venv (the first time takes a few minutes)"
	@$(PIP) -e '.[dev]'
	@touch $(BASE) $@

$(BENCH): $(VENV) $(INPUTS)
	@echo "==> installing the project and what it is measured beside into .venv (the first time takes a few minutes)"
	@$(PIP) -e '.[bench]'
	@touch $(BASE) $@
