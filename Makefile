# CMI. Every target prepares the virtual environment by itself; nothing but Python 3.11+ and make is needed.
#   make run ARGS="--http-port 9000"     options of dev.py
#   make test ARGS="-k calendar"         options of pytest; ARGS="-n 0" runs one test after the other
#   make PYTHON=python3.12 setup         another Python

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
STAMP := .venv/.installed
AXE := tests/portal/node_modules/.package-lock.json
ANOTHER := Name another one: make PYTHON=python3.12 …

.DEFAULT_GOAL := help
.PHONY: help setup run test check format bench demo

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@sed -n 's/^#   make/  e.g. make/p' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) $(AXE) ## make .venv and install what the rest needs (the others call it)
	@$(BIN)/python scripts/system_check.py

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
		echo "CMI needs Python 3.11 or newer, and there is no '$(PYTHON)'. $(ANOTHER)" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "CMI needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). $(ANOTHER)" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make a virtual environment. On Debian: apt-get install python3-venv" >&2; exit 2; }
	@echo "Installing into .venv …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' --constraint constraints.txt
	@touch $@

# for the tests of the pages, which fail without it; all else works, so a machine without npm is only told so
$(AXE): tests/portal/package-lock.json
	@{ npm ci --prefix tests/portal --ignore-scripts --no-audit --no-fund --silent && touch $@; } \
		|| echo "Warning: axe-core was not installed, which the tests of the pages need (it takes npm)" >&2

run: setup ## start everything on this machine: Temporal, mail server, worker, sample data
	@exec $(BIN)/python dev.py $(ARGS)

test: setup ## the whole test suite; says which tests it skipped and why
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --max-worker-restart 1 $(ARGS)

check: setup ## formatting, lint, types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: setup ## put the code into its format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup ## the benchmarks: a table on the screen and bench/results/*.json
	@$(BIN)/python -m bench $(ARGS)

demo: setup ## one unattended run in a minute: orders through every ending, with the story on the screen
	@$(BIN)/python demo.py $(ARGS)
