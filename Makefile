# Everything happens in .venv, which the first target that needs it makes.

PYTHON ?= python3
JOBS ?= 3
# Other Pythons, each with a Django; Python 3.11, which runs all tests, has Django 5.2.
MATRIX ?= 3.12=6.0 3.13=6.1
# What touches Django, pickles and processes; the coordinator's own is the same everywhere.
MATRIX_TESTS ?= tests/agent tests/inert/test_inert_recorded.py tests/inert/test_inert_equality.py \
	tests/end_to_end/test_e2e_nine_views.py

# A test that fails is run once more, and the summary says so: real servers on a busy machine can be
# late. One that is wrong fails twice.
RERUNS ?= --reruns 1

BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -q

.PHONY: help demo test check coverage bench suite fuzz clean servers matrix

help: ## show this
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile | expand -t 16

demo: .venv/.demo ## check a real fleet on this machine that has faults in it
	@$(BIN)/cachecheck demo

test: .venv/.dev servers ## run the tests
	$(BIN)/pytest -n $(JOBS) --dist loadfile $(RERUNS)

check: ## do all that CI does
	@$(MAKE) -j3 --no-print-directory .venv/.dev servers matrix
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(JOBS) --dist loadfile $(RERUNS)
	tests/matrix test "$(MATRIX)" -n $(JOBS) --dist loadfile $(RERUNS) $(MATRIX_TESTS)

coverage: .venv/.dev servers ## run the tests and tell which lines none of them ran
	$(BIN)/pytest -n $(JOBS) --dist loadfile $(RERUNS) --cov --cov-report=term

bench: .venv/.bench servers ## measure; tests/benchmarks
	$(BIN)/python -m pytest tests/benchmarks -q -s \
		-o python_files='bench_*.py' -o python_functions='bench_*' -o timeout=600

fuzz: .venv/.dev ## read a million inputs that nobody wrote, inertly
	$(BIN)/python tests/inert/fuzz.py 1000000

suite: .venv/.dev servers ## run Django's own tests of its caches with the counting on
	$(BIN)/python tests/harness/django_suite/run.py

clean: ## remove what the other targets made
	rm -rf .venv .venv-* .coverage .coverage.* .benchmarks .hypothesis .import_linter_cache
	rm -rf .mypy_cache .pytest_cache .ruff_cache build dist .django-suite
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

servers:
	@tests/install-servers

matrix:
	@tests/matrix install $(MATRIX)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or newer is needed: make PYTHON=python3.12 …' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; } || \
		{ echo '$(PYTHON) cannot make virtual environments: apt install python3-venv' >&2; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/.demo: pyproject.toml | $(BIN)/python
	$(INSTALL) -e '.[demo]'
	@touch $@

.venv/.bench: pyproject.toml | $(BIN)/python
	$(INSTALL) -e '.[bench]'
	@touch .venv/.demo .venv/.dev $@

.venv/.dev: pyproject.toml | $(BIN)/python
	$(INSTALL) -e '.[dev]'
	@touch .venv/.demo $@
