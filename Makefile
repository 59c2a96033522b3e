# Each target sets up .venv by itself when needed. Without make: the lines below work as they are.
PYTHON ?= python3
PROFILE ?= demo
MIRROR ?=

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: book test data site lab bench clean

book: $(READY)  ## run every chapter whose code, parameters or data changed, render the site
	$(PY) -m ecglib book --profile $(PROFILE)

test: $(READY)  ## lint and run the tests
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m pytest -n 2 --dist loadgroup

data: $(READY)  ## fetch the public databases: make data MIRROR=/path/to/a/copy
	$(PY) -m ecglib data $(if $(MIRROR),--mirror $(MIRROR))

site: $(READY)  ## render the published edition; nothing is run
	$(PY) -m ecglib site

lab: $(READY)  ## open JupyterLab
	$(PY) -m jupyter lab

bench: $(READY)  ## print the speed table
	$(PY) -m ecglib bench

clean:  ## remove what was built and the demo results; downloads and published results stay
	rm -rf _build outs/demo

$(READY): requirements.txt constraints.txt pyproject.toml
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet -r requirements.txt -e .
	touch $@
