# Two commands do everything: `make demo` and `make test`. The rest is parts of them.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
WORKERS ?= 2
PYTEST  = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
INPUTS  ?= 1000000
PACKAGE ?= training
SAMPLE  ?= 100

DEMO    ?= runs/demo
PEERS    = benchmarks/.venv

INTEROP ?= build/interop

# Where Python may not store what it compiled, every process compiles it again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo apk install test package docs hooks coverage mutants fuzz test-fast test-thorough lint types unit android-test bazel-test apps interop benchmark lock clean help

help:
	@echo "make demo       train, convert, verify and classify on embedded data"
	@echo "make test       lint, types, all Python and Android tests"
	@echo "make test-fast  the Python tests that take seconds"
	@echo "make test-thorough  the same tests over more networks, files and kills: hours"
	@echo "make coverage   the Python tests, with the lines that they run"
	@echo "make fuzz       damaged files, a million of them   [INPUTS=n]"
	@echo "make package    build the wheel and try it in clean environments"
	@echo "make docs       build the documentation as a site: build/docs/index.html"
	@echo "make mutants    how many small faults the tests notice   [PACKAGE=training SAMPLE=100]"
	@echo "make apk        the Android app, with its model   [MODEL=path UPDATE_KEY=pem]"
	@echo "make install    put the app on a connected phone"
	@echo "make android-test  the app's tests alone"
	@echo "make benchmark  sqzkit compared with others: about an hour  [BENCHMARK_FLAGS=...]"
	@echo "make interop    MediaPipe, Netron, the Java reader and the notebook on our files"
	@echo "make hooks      check style and types before every commit"
	@echo "make lock       pin requirements anew"

# An environment that is there already, or a link to one, is used as it is. uv takes a minute
# where pip takes six, but reads no settings of pip: where only pip finds the packages, it does.
$(VENV)/.installed: requirements-dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $$(grep '^uv==' requirements-dev.txt)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --requirement requirements-dev.txt || \
	  $(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

hooks: $(VENV)/.installed
	$(BIN)/pre-commit install

types: $(VENV)/.installed
	$(BIN)/mypy

unit: $(VENV)/.installed
	$(PYTEST) --durations=20 --durations-min=10

# Lines of sqzkit that the tests run, their programs included; fails below 90 %.
coverage: $(VENV)/.installed
	$(PYTEST) --cov --cov-report=term-missing:skip-covered

# Damages a million files of all kinds; minutes on two free cores.
fuzz: $(VENV)/.installed
	$(BIN)/python -m tests.fuzz.run --inputs=$(INPUTS) --folder=build/fuzz

# Small faults, one at a time: how many of them the fast tests of a package notice. An hour or so.
mutants: $(VENV)/.installed
	$(BIN)/python -m benchmarks.mutants --package=$(PACKAGE) --sample=$(SAMPLE)

test-fast: $(VENV)/.installed
	$(PYTEST) -m "not slow"

# More networks, mutants, random trees and kills than CI has time for.
test-thorough: $(VENV)/.installed
	SQZKIT_THOROUGH=1 SQZKIT_KILLS=50 $(PYTEST)

android-test: $(VENV)/.installed
	$(BIN)/python android_demo/tools/run_tests.py

# Debian's Bazel; only where it is installed. The Python tests ran already: one folder shows the way.
bazel-test: $(VENV)/.installed
	@if command -v bazel >/dev/null; then \
	  android_demo/tools/bazel.sh test //android_demo:apk_test //:tests_reporting && \
	  if [ -f android_demo/target/sqzkit.apk ]; then \
	    $(BIN)/python tests/android/apk_facts.py bazel-bin/android_demo/sqzkit.apk android_demo/target/sqzkit.apk; fi; \
	else echo "bazel is not installed: its part of the tests is left out"; fi

# The wheel in clean environments, on every Python from 3.10 to 3.13 of this machine.
package: $(VENV)/.installed
	$(BIN)/python tests/package/check.py

# Maven and pip wait for the network and use one processor at times: the two run side by side.
test: lint types unit
	$(MAKE) --jobs=2 package docs apps

# One app after the other: Bazel's is compared with Maven's.
apps:
	$(MAKE) android-test
	SQZKIT_APK=android_demo/target/sqzkit.apk $(BIN)/python -m pytest -q tests/android/test_apk.py
	$(MAKE) bazel-test

# Pages, API and links, strictly: any warning is an error. Needs no network.
docs: $(VENV)/.installed
	$(BIN)/sphinx-build -W -n -E --keep-going -q -c docs . build/docs

# Clients that no one here wrote, each in an environment of its own. Needs Java, Maven, and
# Chromium with its driver (Debian: chromium, chromium-driver).
$(INTEROP)/.installed: tests/interop/mediapipe.txt tests/interop/netron.txt tests/interop/pom.xml
	$(PYTHON) -m venv $(INTEROP)/mediapipe
	$(INTEROP)/mediapipe/bin/python -m pip install --quiet -r tests/interop/mediapipe.txt
	$(PYTHON) -m venv $(INTEROP)/netron
	$(INTEROP)/netron/bin/python -m pip install --quiet -r tests/interop/netron.txt
	mvn --quiet -f tests/interop/pom.xml dependency:copy-dependencies \
	  -DoutputDirectory=$(abspath $(INTEROP))/jars
	@touch $@

interop: $(VENV)/.installed $(INTEROP)/.installed
	SQZKIT_MEDIAPIPE_PYTHON=$(abspath $(INTEROP))/mediapipe/bin/python \
	SQZKIT_NETRON_PYTHON=$(abspath $(INTEROP))/netron/bin/python \
	SQZKIT_NETRON_PICTURES=$(abspath $(INTEROP)) \
	SQZKIT_TFLITE_METADATA_JARS=$(abspath $(INTEROP))/jars \
	$(BIN)/python -m pytest -v tests/tflite/test_mediapipe.py tests/tflite/test_netron.py \
	  tests/tflite/test_java_metadata.py tests/test_notebook.py \
	  tests/conversion/test_converter.py::test_tensorflows_interpreter_agrees

demo: $(VENV)/.installed
	$(BIN)/python train.py --model_dir=$(DEMO)
	$(BIN)/python convert.py --model_dir=$(DEMO) --archive --overwrite
	$(BIN)/python -m sqzkit.samples --model_dir=$(DEMO) --overwrite
	$(BIN)/python -m sqzkit.classify --model=$(DEMO)/conversions/int8_per_channel.sqz \
	  --top_k=2 --contact_sheet=$(DEMO)/contact_sheet.png --overwrite $(DEMO)/samples/*.png
	@echo
	@echo "Report:        $(DEMO)/report.html"
	@echo "Contact sheet: $(DEMO)/contact_sheet.png"
	@echo "For the phone: $(DEMO)/conversions/int8_per_channel.sqz"
	@echo
	@echo "Next, with your photographs, one folder for each class:"
	@echo "  . $(VENV)/bin/activate"
	@echo "  sqzkit train --data_dir=photographs --model_dir=runs/mine --weights=v1_1_onnx"
	@echo "  sqzkit convert --model_dir=runs/mine --archive"
	@echo "  sqzkit classify --model=runs/mine/conversions/int8_per_channel.sqz photo.jpg"

apk: $(VENV)/.installed
	$(BIN)/python android_demo/tools/make_apk.py $(if $(MODEL),--model=$(MODEL)) \
	  $(if $(UPDATE_KEY),--update_key=$(UPDATE_KEY))

install: $(VENV)/.installed
	$(BIN)/python android_demo/tools/install.py

# The peers have an environment of their own: PyTorch alone brings gigabytes.
$(PEERS)/.installed: benchmarks/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --requirement benchmarks/requirements.txt
	@touch $@

benchmark: $(VENV)/.installed $(PEERS)/.installed
	$(BIN)/python -m benchmarks.run --peers_python=$(PEERS)/bin/python $(BENCHMARK_FLAGS)

# requirements.txt pins what users of a checkout install, requirements-dev.txt what its tests use.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.10 --extra explore \
       --no-emit-index-url --no-header --no-annotate
lock: $(VENV)/.installed
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) pyproject.toml requirements-dev.in -o requirements-dev.txt
	$(BIN)/uv pip compile -q --python-version 3.11 benchmarks/requirements.in -o benchmarks/requirements.txt --no-emit-index-url --no-header --no-annotate

clean:
	rm -rf runs build android_demo/target
