# Each target builds .venv if it must, reuses it otherwise, and needs only make and Python 3.11 or newer.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := check

# The newest interpreter that fits and can make environments; override with `make PYTHON=/path/to/python`.
PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
	if $$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' >/dev/null 2>&1; \
	then echo $$p; break; fi; done)
# Test processes; 0 runs everything in one.
WORKERS ?= 2
PYTEST_FLAGS ?=
# How often `make fuzz` goes through the property tests, each time with new examples.
FUZZ_ROUNDS ?= 5
# `make lock LOCK_FLAGS=--upgrade` moves every pin to the newest release allowed.
LOCK_FLAGS ?=
DEMO_FLAGS ?=
BENCH_FLAGS ?=

BIN := .venv/bin
PIP := -m pip --disable-pip-version-check install --quiet
STAMP := .venv/.installed
BENCH_STAMP := .venv-bench/.installed
CI_STAMP := .venv/.installed-ci

.PHONY: help venv demo test test-slow fuzz lint check bench docs wheel-test ci-tools pennylane-suite lock clean distclean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

# $(call make_venv,folder): the interpreter is asked for only when there is no environment to reuse.
define make_venv
@if ! $(1)/bin/python -m pip --version >/dev/null 2>&1; then \
	python='$(PYTHON)'; \
	if [ -z "$$python" ]; then echo 'No Python from 3.11 to 3.14 with venv found; name one: make PYTHON=...' >&2; exit 1; fi; \
	"$$python" -m venv --clear $(1); \
fi
@printf '*\n' > $(1)/.gitignore
endef

$(STAMP): pyproject.toml constraints.txt
	$(call make_venv,.venv)
	$(BIN)/python $(PIP) -c constraints.txt -e '.[ibm,studies,learn,pennylane,qiskit-machine-learning,docs,dev]'
	@touch $@

$(BENCH_STAMP): pyproject.toml constraints-bench.txt
	$(call make_venv,.venv-bench)
	.venv-bench/bin/python $(PIP) -c constraints-bench.txt -e '.[bench]'
	@touch $@

venv: $(STAMP) ## Build .venv

$(CI_STAMP): $(STAMP) .ci/requirements.txt
	$(BIN)/python $(PIP) -c constraints.txt -r .ci/requirements.txt
	@touch $@

demo: $(STAMP) ## Diagnose a 16-qubit circuit on a real device's calibration
	$(BIN)/equinoise diagnose examples/brickwork16.qasm --readout Z8 --noise ibm:torino --seed 0 $(DEMO_FLAGS)

# The processes share the cores; BLAS with two threads each mostly waits for itself (small matrices, busy machine: 54 s for 4 s).
test test-slow fuzz: export OPENBLAS_NUM_THREADS = 1

test: $(STAMP) ## Run the tests but the slow ones, and the examples in the documentation
	$(BIN)/python -m pytest -n $(WORKERS) -m 'not slow' $(PYTEST_FLAGS)
	$(BIN)/python -m pytest -n $(WORKERS) --doctest-modules --doctest-glob='*.md' --ignore=docs/conf.py --ignore=docs/_build src docs $(wildcard README.md)

test-slow: $(STAMP) ## Run the slow tests
	$(BIN)/python -m pytest -n $(WORKERS) -m slow $(PYTEST_FLAGS)

fuzz: $(STAMP) ## Run the property tests on new random examples; a failure prints how to repeat it
	@for round in $$(seq $(FUZZ_ROUNDS)); do \
		echo "== round $$round of $(FUZZ_ROUNDS)"; \
		$(BIN)/python -m pytest -n $(WORKERS) -m hypothesis --hypothesis-profile=fuzz $(PYTEST_FLAGS); \
	done

lint: $(STAMP) ## Check style, types, the direction of imports and the documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src
	$(BIN)/lint-imports --no-logo
	@if [ -f docs/conf.py ]; then $(MAKE) --no-print-directory docs; fi

check: ## Lint, then test
	$(MAKE) --no-print-directory lint
	$(MAKE) --no-print-directory test

bench: $(BENCH_STAMP) ## Measure against other programs, in an environment of its own
	.venv-bench/bin/python -m benchmarks $(BENCH_FLAGS)

docs: $(STAMP) ## Build the documentation, warnings being errors
	$(BIN)/python -m sphinx -W --keep-going --quiet -b html docs docs/_build/html

wheel-test: $(STAMP) ## Install the wheel alone and run it
	bash .ci/wheel_test.sh

ci-tools: $(CI_STAMP) ## Add to .venv what only tests need: torch and what PennyLane's tests import

pennylane-suite: $(CI_STAMP) ## Run PennyLane's own device tests on our device
	folder=$$($(BIN)/python -c 'from pennylane.devices.tests import get_device_tests as f; print(f())'); \
	PYTHONPATH=tests/interop $(BIN)/python -m pytest -q -p pennylane_suite -p no:cacheprovider -c "$$folder/pytest.ini" \
		"$$folder" --device equinoise.sector --shots None --no-flaky-report

# Needs nothing of .venv, so that it also works when the pins no longer fit pyproject.toml.
UV_COMPILE = .make/lock/bin/uv pip compile --quiet --no-python-downloads --universal --fork-strategy fewest \
	--python-version 3.11 --no-annotate --custom-compile-command 'make lock' $(LOCK_FLAGS) pyproject.toml

lock: ## Resolve the pinned versions again
	$(call make_venv,.make/lock)
	.make/lock/bin/python $(PIP) 'uv>=0.9,<1'
	$(UV_COMPILE) --extra ibm --extra studies --extra learn --extra pennylane --extra qiskit-machine-learning --extra docs --extra dev --output-file constraints.txt
	$(UV_COMPILE) --extra bench --output-file constraints-bench.txt

clean: ## Remove what was built, but not the environments
	rm -rf build dist demo-output docs/_build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests docs examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean ## Remove the environments too
	rm -rf .venv .venv-bench .make
