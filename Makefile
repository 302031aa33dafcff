# Every target sets up what it needs: `make demo` and `make test` run as they are on a
# machine that has nothing but make and python3. Another interpreter: make test PYTHON=python3.12
# Tests run in two processes, one per core here; make test JOBS=8 on a larger machine.

PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PYTEST = $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --max-worker-restart=0
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt
FLOOR_PIP = $(FLOOR)/bin/python -m pip install -qq --disable-pip-version-check \
	-c $(FLOOR)/constraints.txt

# The stamps carry the interpreter's version, so that another PYTHON makes another environment.
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
RUN := $(VENV)/.ready-to-run-$(VERSION)
DEV := $(VENV)/.ready-to-check-$(VERSION)

# An environment apart, in which every direct dependency is at the lower bound that pyproject.toml
# has for it, with the oldest Python: the lowest versions have no wheels for the newest ones.
FLOOR_PYTHON ?= $(or $(shell command -v python3.11),$(PYTHON))
FLOOR := .venv-floors
# Each dependency is met: equinox and spikes, evosax, haiku, matplotlib, networkx, optax, orbax,
# rich and tyro (the command line), scipy (a solved control), pooch and scikit-learn (data).
DEMO := tests/contracts/test_recipes.py::TestDemo::test_it_comes_with_control_and_baselines
FLOOR_TESTS := tests/unit/modules/test_recurrent_spiking.py tests/unit/training/test_evolution.py \
	tests/unit/interop/test_haiku.py tests/unit/plotting/test_learning_curve.py \
	tests/unit/graph/test_supergraph.py tests/unit/training/test_checkpoints.py \
	tests/unit/training/test_frozen_readout.py tests/unit/cli/test_run.py \
	tests/unit/cli/test_listing.py "$(DEMO)[control-lif-es]" "$(DEMO)[classification-rsnn]" \
	"$(DEMO)[classification-backprop]"

.PHONY: help demo evidence test test-slow test-all check lint types layers docs floors bench dist format clean
.DEFAULT_GOAL := help

help:
	@echo "make demo     install bionet into $(VENV) and watch two networks learn without a gradient"
	@echo "make test     install everything and run the tests (some of them: ARGS='-k word')"
	@echo "make test-slow  run the tests that take too long for every day"
	@echo "make test-all   run both"
	@echo "make check    lint, types, layers, docs, then all tests: what CI runs"
	@echo "make floors   run some tests with every direct dependency at its lower bound"
	@echo "make evidence measure every recipe beside its baselines, control and ablation, five seeds"
	@echo "make bench    measure a few ratios of speeds, and fail where one is below its floor"
	@echo "make dist     build the package, and try it in an environment of its own"
	@echo "make format   let ruff rewrite what it can"
	@echo "make clean    remove the environment, the built site and the caches"

demo: $(RUN)
	$(BIN)/bionet demo prototypes-local
	$(BIN)/bionet run classification-local --data digits

evidence: $(RUN)
	$(BIN)/python research/evidence/run.py
	$(BIN)/python research/evidence/publish.py
	$(BIN)/python research/readme.py

test: $(DEV)
	$(PYTEST) $(ARGS)

# pyproject.toml leaves the slow tests out; an -m of one's own stands in the place of that.
test-slow: $(DEV)
	$(PYTEST) -m slow $(ARGS)

test-all: $(DEV)
	$(PYTEST) -m "" $(ARGS)

check: lint types layers docs
	$(MAKE) test-all

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/pyright --pythonpath $(BIN)/python

layers: $(DEV)
	$(BIN)/lint-imports --no-logo

docs: $(DEV)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Old versions warn of newer ones among themselves, which is not for us to mend.
floors: $(FLOOR)/.ready
	env -u PYTHONPATH $(FLOOR)/bin/python -m pytest -n $(JOBS) --dist loadfile \
		-W ignore::DeprecationWarning $(FLOOR_TESTS)

bench: $(DEV)
	$(BIN)/python research/benchmarks/guard.py

# What is published is tried as a user gets it: the wheel alone, in an environment of its own.
dist: $(RUN)
	rm -rf dist .venv-dist
	$(PIP) build hatchling
	$(BIN)/python -m build --no-isolation --outdir dist
	$(PYTHON) -m venv --clear .venv-dist
	.venv-dist/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt dist/*.whl
	cd dist && ../.venv-dist/bin/bionet doctor && ../.venv-dist/bin/bionet demo prototypes-local

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(FLOOR) .venv-dist site dist build .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "bionet needs Python 3.11 or newer, and '$(PYTHON)' is $(or $(VERSION),not there)." \
			"Name another one, for example: make $(or $(MAKECMDGOALS),demo) PYTHON=python3.12" >&2; \
		exit 1; }
	@echo "Installing bionet into $(VENV) with Python $(VERSION) (a minute or two, once) ..."
	@$(BIN)/python -c 'import pip, sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(VERSION)")' \
		2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(PIP) hatchling editables
	@$(PIP) --no-build-isolation -e ".[data]"
	@touch $@

$(DEV): $(RUN)
	@echo "Installing what the tests, checks and docs need ..."
	@$(PIP) --no-build-isolation -e ".[data,docs,ray,tune,dev]"
	@touch $@

$(FLOOR)/.ready: pyproject.toml constraints.txt .ci/floors.py
	@echo "Installing the lowest versions into $(FLOOR) ..."
	@$(FLOOR_PYTHON) -m venv --clear $(FLOOR)
	@$(FLOOR)/bin/python .ci/floors.py > $(FLOOR)/constraints.txt
	@$(FLOOR_PIP) hatchling editables
	@$(FLOOR_PIP) --no-build-isolation -e ".[data]" pytest pytest-xdist hypothesis
	@touch $@
