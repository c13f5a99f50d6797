# CMI. Every target installs what it needs by itself; nothing but Python 3.11+ and make has to be there.
#   make run ARGS="--http-port 9000"     options of dev.py
#   make test ARGS="-k calendar"         options of pytest; ARGS="-n 0" runs one test after the other
#   make PYTHON=python3.12 setup         another Python

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
STAMP := .venv/.installed
PACKAGES := scripts/system_packages.py
INSTALL := python -m pip install --quiet --disable-pip-version-check --no-deps
AXE := tests/portal/node_modules/.package-lock.json
LOCALE := locale
# The files with texts, and the functions besides gettext's own that mark them (words/translations.py).
TEXTS := activities documents domain invoices mail statements templates use_cases web words workflows
MARKS := mark say:2 pmark:1c,2 nmark:1,2
ANOTHER := Name another one: make PYTHON=python3.12 …

# Or each of the many processes would compile the code again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup all-packages run-packages run test check format catalogues lock bench demo pictures compose-check
.NOTPARALLEL: # npm may be among the packages, and installers wait for each other

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@sed -n 's/^#   make/  e.g. make/p' $(firstword $(MAKEFILE_LIST))

setup: all-packages $(AXE) ## make .venv and install what the rest needs (the others call their part of it)

all-packages: $(STAMP)
	@$(BIN)/python $(PACKAGES) run test faster

# Running the product must not install a browser and a database.
run-packages: $(STAMP)
	@$(BIN)/python $(PACKAGES) run

# Files whose hashes differ from the lock files are refused. A package that constraints.txt has and the lock files lack
# is installed without hashes, with a message; a test fails until `make lock` has been run.
$(STAMP): pyproject.toml constraints.txt requirements.lock requirements-dev.lock
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
		echo "CMI needs Python 3.11 or newer, and there is no '$(PYTHON)'. $(ANOTHER)" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "CMI needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). $(ANOTHER)" >&2; exit 2; }
	@$(PYTHON) $(PACKAGES) --must venv
	@echo "Installing into .venv …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/$(INSTALL) --require-hashes --requirement requirements-dev.lock
	@behind="$$($(BIN)/python scripts/lock.py --behind)"; if [ -n "$$behind" ]; then \
		echo "Installed without hashes, until 'make lock' has been run: $$behind" >&2; $(BIN)/$(INSTALL) $$behind; fi
	@touch $@

# For the tests of the pages, which are skipped without it. The message that npm is missing was printed before.
$(AXE): tests/portal/package-lock.json
	@if command -v npm >/dev/null 2>&1; then \
		{ npm ci --prefix tests/portal --ignore-scripts --no-audit --no-fund --silent && touch $@; } \
			|| echo "npm could not install axe-core; the tests of the pages that need it are skipped" >&2; \
	fi

run: run-packages ## start everything on this machine: Temporal, mail server, worker, sample data
	@exec $(BIN)/python dev.py $(ARGS)

# In the order of their names: xdist would put the files with the fewest tests last, and those take longest.
test: setup ## the whole test suite; says which tests it skipped and why
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --max-worker-restart 1 $(ARGS)

check: $(STAMP) ## formatting, lint, types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(STAMP) ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

catalogues: $(STAMP) ## write new texts into the catalogues in locale/, empty, and remove unused ones
	@$(BIN)/pybabel --quiet extract --mapping-file babel.cfg --keywords "$(MARKS)" --project CMI \
		--add-location file --sort-by-file --width 100 --output-file $(LOCALE)/cmi.pot $(TEXTS)
	@$(BIN)/pybabel --quiet update --domain cmi --input-file $(LOCALE)/cmi.pot --output-dir $(LOCALE) \
		--ignore-obsolete --previous --ignore-pot-creation-date --width 100

lock: ## write the hashes of all packages in constraints.txt into requirements*.lock (needs uv: pip install uv)
	@$(PYTHON) scripts/lock.py

bench: setup ## the benchmarks: a table on the screen and bench/results/*.json
	@$(BIN)/python -m bench $(ARGS)

demo: run-packages ## one unattended run in a minute: orders through every ending, with the story on the screen
	@$(BIN)/python -m development.demo $(ARGS)

compose-check: $(STAMP) ## run the Compose files on Docker from Debian's packages (as root; the first run takes a quarter of an hour)
	@$(BIN)/python $(PACKAGES) --must compose
	@$(BIN)/python -m development.compose_check $(ARGS)

pictures: $(STAMP) ## draw docs/images/*.svg from their text sources, with Graphviz
	@$(BIN)/python $(PACKAGES) --must pictures
	@$(BIN)/python -m tests.packages_picture
	@for picture in architecture packages; do \
		dot -Tsvg docs/images/$$picture.dot -o docs/images/$$picture.svg || exit 1; done
