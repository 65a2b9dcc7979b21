# Every target makes what it needs; `make run` and `make test` are enough to begin with.
PYTHON ?= python3
VENV := .venv
BENCH_VENV := .venv-bench
BIN := $(VENV)/bin
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# it warns that it leaves the tests' own files alone
SLIPCOVER := -W ignore::RuntimeWarning:slipcover.importer -m slipcover
CONFIG ?= configs/linear.yaml
SWEEP ?= configs/sweeps/assignment.yaml

.DEFAULT_GOAL := help
.PHONY: help run test style check docs stress report sweep gradcheck bench clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(BIN)/.installed ## install, get MNIST, train configs/linear.yaml (or CONFIG=FILE)
	@$(BIN)/mnistlab train --config $(CONFIG)

test: $(BIN)/.installed-dev ## run the whole test suite, with coverage
	@$(BIN)/python -m compileall -q mnistlab # hundreds of processes start in the tests
	$(BIN)/python $(SLIPCOVER) --json --out .coverage.json \
	  -m pytest -n $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )) # one more than cores, as tests wait, too
	@$(BIN)/python $(SLIPCOVER) --merge .coverage.json --fail-under 90 --out .coverage.json

style: $(BIN)/.installed-dev ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

check: style test ## what CI runs: style, then the tests

docs: $(BIN)/.installed-dev ## build the documentation into docs/_build/html, and type what it tells to type
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html
	$(BIN)/python -m pytest -n auto -q docs/checks
	@echo "open docs/_build/html/index.html"

stress: $(BIN)/.installed-stress ## kill, starve, cut and fuzz it for an hour or two; figures go to tests/STRESS.md
	$(BIN)/python -m tests.stress

gradcheck: $(BIN)/.installed ## prove every gradient, and show the softmax' at three points
	@$(BIN)/mnistlab gradcheck --all
	@$(BIN)/mnistlab gradcheck

sweep: $(BIN)/.installed ## sweep around the assignment's setting (or SWEEP=FILE) and name the best
	@$(BIN)/mnistlab sweep --config $(SWEEP)

report: export AUTHOR := $(value AUTHOR)
report: $(BIN)/.installed-report ## answer the assignment in runs/report (AUTHOR="your names")
	@$(BIN)/mnistlab report --author "$$AUTHOR"

bench: $(BENCH_VENV)/.installed ## time mnistlab against PyTorch, JAX and scikit-learn
	$(BENCH_VENV)/bin/python benchmarks/run.py

clean: ## remove the environments and caches; run folders stay
	rm -rf $(VENV) $(BENCH_VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis \
	  .import_linter_cache .coverage* build dist docs/_build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(BIN)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing mnistlab into $(VENV) (once; under a minute)"
	@$(BIN)/python $(PIP_INSTALL) --editable .
	@$(BIN)/python -m compileall -q mnistlab
	@touch $@

$(BIN)/.installed-report: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing mnistlab and what its reports need into $(VENV) (once; under a minute)"
	@$(BIN)/python $(PIP_INSTALL) --editable '.[report]'
	@$(BIN)/python -m compileall -q mnistlab
	@touch $@ $(BIN)/.installed

$(BIN)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing mnistlab and its test tools into $(VENV) (once; about a minute)"
	@$(BIN)/python $(PIP_INSTALL) --editable '.[dev]'
	@$(BIN)/python -m compileall -q mnistlab
	@touch $@ $(BIN)/.installed $(BIN)/.installed-report

$(BIN)/.installed-stress: $(BIN)/.installed-dev
	@$(BIN)/python $(PIP_INSTALL) --editable '.[dev,stress]'
	@touch $@

$(BENCH_VENV)/.installed: pyproject.toml constraints.txt
	@echo "installing mnistlab and its rivals into $(BENCH_VENV) (once; a few minutes)"
	@$(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python $(PIP_INSTALL) --editable '.[bench]'
	@$(BENCH_VENV)/bin/python -m compileall -q mnistlab
	@touch $@
