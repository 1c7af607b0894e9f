# make study        trains a grid of sparse networks on scikit-learn's digits and writes a report
# make test         runs the whole test suite
# make coverage     the same, and reports which lines no test runs: tracing takes half as much time again
# make test-lowest  runs the suite with the lowest versions that pyproject.toml promises
# make lint types   checks style and spelling; checks types
# make docs         builds the documentation in docs/_build/html
# Each makes its environment first, in .venv (or .venv-lowest), with the versions of constraints.txt.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: study test coverage test-lowest docs lint types check clean

study: $(VENV)/study.stamp
	$(BIN)/topograph study run studies/digits.toml --store studies/digits.sqlite
	$(BIN)/topograph report studies/digits.sqlite --out studies/digits.html

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n 2

coverage: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n 2 --cov

test-lowest: .venv-lowest/stamp
	.venv-lowest/bin/python -m pytest -n 2 -o filterwarnings=default

docs: $(VENV)/docs.stamp
	$(BIN)/sphinx-build --jobs auto --quiet --fail-on-warning --keep-going --builder html docs docs/_build/html
	@echo "Documentation: docs/_build/html/index.html"

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(VENV)/dev.stamp
	$(BIN)/mypy
	$(BIN)/mypy examples/topograph-jax/topograph_jax.py

check: lint types test

clean:
	rm -rf $(VENV) .venv-lowest .coverage .pytest_cache .mypy_cache .ruff_cache studies/*.sqlite* studies/*.html docs/_build docs/_generated

$(VENV)/study.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[report]'
	touch $@

# the frameworks too, so that no test is skipped for want of one, and the plug-in of the examples
$(VENV)/dev.stamp: pyproject.toml constraints.txt examples/topograph-jax/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[dev,torch,keras,jax,dask,onnx]' -e examples/topograph-jax
	touch $@ $(VENV)/study.stamp

# Old versions warn about newer Pythons and about each other, so a warning is not an error here. PyTorch is the one
# exception to "lowest": its builds for CPUs are not all at hand, so the version of constraints.txt stands in.
.venv-lowest/stamp: pyproject.toml constraints-lowest.txt examples/topograph-jax/pyproject.toml
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-lowest.txt \
		-e '.[dev,torch,keras,jax,dask,onnx]' -e examples/topograph-jax
	touch $@

$(VENV)/docs.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[docs]'
	touch $@ $(VENV)/study.stamp
