# Every target does its own set-up: a machine with Python 3.11+ and make is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH ?= day
COVERAGE_FLOOR ?= 70
FUZZ_SECONDS ?= 60
TRIAL := build/release-trial
PINNED := build/pinned
SBOM ?= $(PINNED)/digestmail.cdx.json
AUDIT ?= yes

# Each worker takes a range of the tests, so that what a module starts (a browser, a server) is mostly started once.
PARALLEL := -n auto --dist worksteal

# Every program that the tests start would compile each module again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test unit long fuzz servers check coverage lint types imports reference hooks audit sbom release format bench lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

demo: $(VENV)/.runtime ## the main job on a bundled sample, without network, into ./demo-out
	$(BIN)/digestmail demo --output demo-out

test: $(VENV)/.dev ## the whole test suite
	$(BIN)/pytest $(PARALLEL) -q

unit: $(VENV)/.dev ## the tests that need no server, browser or other program
	$(BIN)/pytest --unit $(PARALLEL) -q -p no:schemathesis -p no:pytest_httpserver

long: $(VENV)/.dev ## kill the workers well over a thousand times; some minutes
	DIGESTMAIL_TEST_LONG=1 $(BIN)/pytest -n auto -q -rP tests/e2e/test_kills.py tests/e2e/test_scheduled_ci.py

fuzz: $(VENV)/.dev ## damaged inputs for everything that reads untrusted octets; FUZZ_SECONDS for each of them
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/pytest -n 0 -q -s tests/fuzz

coverage: $(VENV)/.dev ## the whole test suite, with the branches it covers and a floor under their share
	$(BIN)/pytest $(PARALLEL) -q --cov --cov-report=term --cov-fail-under=$(COVERAGE_FLOOR)

servers: $(VENV)/.dev ## real mail servers on loopback; downloads them from Debian and npm, needs root
	DIGESTMAIL_TEST_SERVERS=1 $(BIN)/pytest -q -rA tests/servers

check: lint types imports test ## what CI runs

lint: $(VENV)/.dev ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy: --strict for the package, the tests as tests/mypy.ini says
	$(BIN)/mypy & package=$$!; $(BIN)/mypy --config-file tests/mypy.ini; tests=$$?; wait $$package && exit $$tests

imports: $(VENV)/.dev ## import-linter: imports run one way
	$(BIN)/lint-imports

reference: $(VENV)/.dev ## write docs/cli.md from the commands themselves
	$(BIN)/typer digestmail.cli.main utils docs --name digestmail --title "Command line reference" --output docs/cli.md

hooks: $(VENV)/.dev ## have git run the checks before each commit and push
	$(BIN)/pre-commit install

audit: $(PINNED)/uv.lock ## look up every locked dependency in the advisories of osv.dev; needs network
ifeq ($(AUDIT),no)
	@echo "WARNING: the dependencies are NOT audited, because AUDIT=no" >&2
else
	@$(UV_PINNED) audit --preview-features audit-command $(AUDIT_OPTIONS); code=$$?; case $$code in \
	  0) ;; \
	  1) echo "audit: a locked dependency has a known vulnerability; run make lock, or raise it in pyproject.toml" >&2 ;; \
	  *) echo "audit: NOTHING WAS AUDITED, because osv.dev cannot be asked; try again, or leave it out with AUDIT=no" >&2 ;; \
	esac; exit $$code
endif

sbom: $(PINNED)/uv.lock ## write a CycloneDX SBOM of the locked dependencies to SBOM
	$(UV_PINNED) export --quiet --preview-features sbom-export --format cyclonedx1.5 --output-file $(SBOM)

release: audit ## audit the dependencies, build wheel, sdist and SBOM into dist/, check them, and run the demo from the wheel
	rm -rf dist
	$(BIN)/uv build --no-build-isolation --python $(BIN)/python --out-dir dist
	$(BIN)/twine check --strict dist/*
	rm -rf $(TRIAL)
	$(PYTHON) -m venv $(TRIAL)
	$(TRIAL)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(TRIAL)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps dist/*.whl
	$(TRIAL)/bin/python -m pip check --disable-pip-version-check
	cd $(TRIAL) && bin/digestmail --version && bin/digestmail demo --output demo-out
	rm -rf $(TRIAL)
	# After twine, which would take it for a distribution.
	$(MAKE) sbom SBOM=dist/digestmail-$(VERSION).cdx.json

format: $(VENV)/.dev ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## make bench BENCH=name: figures as JSON lines, a table on standard error
	$(BIN)/python -m benchmarks.$(BENCH)

lock: $(VENV)/.dev ## resolve the dependencies anew
	$(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --generate-hashes --python-version 3.11 --upgrade \
	  --custom-compile-command "make lock" --group build -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --generate-hashes --python-version 3.11 --upgrade \
	  --custom-compile-command "make lock" --group build --group dev -o requirements-dev.lock pyproject.toml

clean: ## remove what the targets made
	rm -rf $(VENV) demo-out dist build .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.runtime: requirements.lock pyproject.toml digestmail/__init__.py | $(VENV)/bin/python
	@echo "installing digestmail and the libraries it needs into $(VENV), once; this takes about a minute"
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

# The pins of requirements.lock as a project of uv, which audits and lists only such.
UV_PINNED = UV_PROJECT=$(PINNED) UV_LOCKED=1 UV_PYTHON=$(BIN)/python $(BIN)/uv
VERSION = $(shell $(BIN)/python -c "import digestmail; print(digestmail.__version__)")

$(PINNED)/uv.lock: requirements.lock digestmail/__init__.py | $(VENV)/.dev
	@rm -rf $(PINNED) && mkdir -p $(PINNED)
	@printf '[project]\nname = "digestmail"\nversion = "%s"\nrequires-python = ">=3.11"\n' $(VERSION) > $(PINNED)/pyproject.toml
	@$(BIN)/uv add --quiet --project $(PINNED) --python $(BIN)/python --no-sync --requirements requirements.lock || { \
	  rm -f $@; echo "the package index cannot be asked for the metadata of the locked dependencies" >&2; exit 2; }

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@echo "installing what the tests need into $(VENV), once; this takes a few minutes"
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
