# make study   trains a grid of sparse networks on scikit-learn's digits and writes a report
# make test    runs the whole test suite
# make docs    builds the documentation in docs/_build/html
# Both make the environment first, in .venv, with the versions of constraints.txt.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: study test docs lint types check clean

study: $(VENV)/study.stamp
	$(BIN)/topograph study run studies/digits.toml --store studies/digits.sqlite
	$(BIN)/topograph report studies/digits.sqlite --out studies/digits.html

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n 2

docs: $(VENV)/docs.stamp
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --builder html docs docs/_build/html
	@echo "Documentation: docs/_build/html/index.html"

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy
	$(BIN)/mypy examples/topograph-jax/topograph_jax.py

check: lint types test

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache studies/*.sqlite* studies/*.html docs/_build docs/_generated

$(VENV)/study.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $@

# the frameworks too, so that no test is skipped for want of one, and the plug-in of the examples
$(VENV)/dev.stamp: pyproject.toml constraints.txt examples/topograph-jax/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[dev,torch,keras,jax,dask,onnx]' -e examples/topograph-jax
	touch $@ $(VENV)/study.stamp

$(VENV)/docs.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[docs]'
	touch $@ $(VENV)/study.stamp
