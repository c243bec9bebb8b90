# Two commands do everything: `make demo` and `make test`. The rest is parts of them.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
WORKERS ?= 2

.PHONY: demo test test-fast lint types unit lock clean help

help:
	@echo "make demo       train, convert, verify and classify on embedded data"
	@echo "make test       lint, types, all Python and Android tests"
	@echo "make test-fast  the Python tests that take seconds"
	@echo "make apk        the Android app, with its model   [MODEL=path]"
	@echo "make install    put the app on a connected phone"
	@echo "make lock       pin requirements anew"

$(VENV)/.installed: requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	@touch $@

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

unit: $(VENV)/.installed
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

test-fast: $(VENV)/.installed
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow"

test: lint types unit

lock: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile -q --universal --python-version 3.10 requirements.in -o requirements.txt --no-emit-index-url --no-header --no-annotate
	$(BIN)/uv pip compile -q --universal --python-version 3.10 requirements-dev.in -o requirements-dev.txt --no-emit-index-url --no-header --no-annotate

clean:
	rm -rf runs build android_demo/target
