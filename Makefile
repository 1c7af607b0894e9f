# make study   trains a grid of sparse networks on scikit-learn's digits and writes a report
# make test    runs the whole test suite
# Both make the environment first, in .venv, with the versions of constraints.txt.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: study test lint types check clean

study: $(VENV)/study.stamp
	$(BIN)/topograph study run studies/digits.toml --store studies/digits.sqlite
	$(BIN)/topograph report studies/digits.sqlite --out studies/digits.html

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy
	$(BIN)/mypy examples/topograph-jax/topograph_jax.py

check: lint types test

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache studies/*.sqlite* studies/*.html

$(VENV)/study.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $@

# the frameworks too, so that no test is skipped for want of one, and the plug-in of the examples
$(VENV)/dev.stamp: pyproject.toml constraints.txt examples/topograph-jax/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[dev,torch,keras,jax,dask,onnx]' -e examples/topograph-jax
	touch $@ $(VENV)/study.stamp
