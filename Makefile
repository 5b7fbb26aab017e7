# Everything is made inside this folder: the environment in .venv, the tools in it.
PYTHON ?= python3
STAMP := .venv/.installed
UV := .venv/bin/uv
LOCK := $(UV) --no-config pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-header

.DEFAULT_GOAL := help
.PHONY: help setup demo test check benchmark benchmark-healing screenshots lock clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 28

setup: $(STAMP) ## Make the environment and install the tools

demo: $(STAMP) ## Heal and release the example, from its broken commit to a release folder
	.venv/bin/regreen demo

test: $(STAMP) ## Run every test, on real tools
	.venv/bin/python -m pytest --numprocesses 4 --dist loadfile

check: $(STAMP) ## Lint, formatting, types, import contracts, Docker files, GitHub Action
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/hadolint docker/Dockerfile
	.venv/bin/check-jsonschema --builtin-schema vendor.compose-spec docker/compose.yaml
	.venv/bin/check-jsonschema --builtin-schema vendor.github-actions action.yml

benchmark: $(STAMP) ## Measure the line against a shell script with the same tools
	.venv/bin/python -m benchmarks.line

benchmark-healing: $(STAMP) ## Measure the search healer on bugs in well-known packages (hours)
	.venv/bin/python -m benchmarks.healing

screenshots: $(STAMP) ## Take the pictures of the web UI in the docs anew
	.venv/bin/python -m tests.e2e.screenshots

lock: $(STAMP) ## Resolve the dependencies again and write the lock files
	$(LOCK) requirements/bootstrap.in --output-file requirements/bootstrap.lock
	$(LOCK) pyproject.toml --output-file requirements/runtime.lock
	$(LOCK) pyproject.toml --group dev --output-file requirements/development.lock
	$(LOCK) regreen/tools/tools.in --output-file regreen/tools/tools.lock
	$(LOCK) regreen/tools/pip-audit.in --output-file regreen/tools/pip-audit.lock
	$(LOCK) requirements/healing-tests.in --output-file requirements/healing-tests.lock
	$(LOCK) --no-deps --no-binary :all: requirements/healing-packages.in --output-file requirements/healing-packages.lock

clean: ## Remove everything that was made here
	rm -rf .venv .demo .benchmark build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml requirements/bootstrap.lock requirements/development.lock regreen/tools/tools.lock regreen/tools/pip-audit.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Regreen needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/bootstrap.lock
	$(UV) pip sync --quiet --python .venv --require-hashes --compile-bytecode requirements/development.lock
	$(UV) pip install --quiet --python .venv --no-deps --no-build-isolation --editable .
	.venv/bin/regreen tools install || echo "Some tools are missing; stages that need them are skipped. Again: .venv/bin/regreen tools install"
	@touch $@
