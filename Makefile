# Everything from a fresh machine: each target makes .venv and installs what it needs.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO := demo

.PHONY: test test-slow lint check docs demo dist bench accuracy results clean

test: $(INSTALLED)  ## every test that needs minutes at most
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow"

test-slow: $(INSTALLED)  ## the tests that need many minutes
	$(BIN)/pytest -m slow

lint: $(INSTALLED)  ## style, format, types, the laws between folders
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(INSTALLED)  ## write docs/cli.md anew from --help, and the tables of docs/formats.md
	$(BIN)/python docs/make_cli.py > docs/cli.md
	$(BIN)/python docs/make_tables.py

demo: $(INSTALLED)  ## sample videos, ingest, split, statistics, in under five minutes
	rm -rf $(DEMO)
	$(BIN)/ttk sample $(DEMO)/videos --identities 5 --clips 4 --seconds 10
	$(BIN)/ttk ingest $(DEMO)/videos --out $(DEMO)
	$(BIN)/ttk split --data $(DEMO)
	$(BIN)/ttk stats --data $(DEMO) --blinks --plot $(DEMO)/stats.png
	$(BIN)/ttk validate --data $(DEMO)

dist: $(INSTALLED)  ## wheel and source distribution, in dist/
	$(BIN)/python -m build --no-isolation --outdir dist .

bench: $(INSTALLED)  ## speed: ratios measured in one run
	mkdir -p runs
	$(BIN)/pytest tests/benchmarks --benchmark-only -s --benchmark-json runs/bench.json

accuracy: $(INSTALLED)  ## measure against truth and reference; writes the tables of docs/accuracy.md and docs/metrics.md
	$(BIN)/python -m tests.accuracy

results: $(INSTALLED)  ## train FACIAL-GAN and measure it; writes docs/results.md; many hours
	$(BIN)/python -m tests.results

clean:
	rm -rf $(VENV) $(DEMO)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet torch==2.13.0 -c constraints.txt
	$(BIN)/pip install --quiet -e ".[dev]" -c constraints.txt
	touch $@
