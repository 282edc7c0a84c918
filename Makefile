VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: demo test test-app lint fix

# Installs everything into .venv; done again only when a requirement has changed
$(READY): pyproject.toml constraints.txt
	@echo "setting up $(VENV) (a few minutes the first time)"
	@test -x $(PYTHON) || python3 -m venv $(VENV)
	@$(PYTHON) -m pip install -qq --disable-pip-version-check --constraint constraints.txt torch
	@$(PYTHON) -m pip install -qq --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@$(PYTHON) -c "import modeling_nerret"
	@touch $(READY)

demo: $(READY)  ## index the demo corpus and answer three type queries
	@$(PYTHON) -m modeling_nerret.demo

test: $(READY)  ## run all tests and the examples of README and docstrings
	@$(PYTHON) -m pytest

test-app: $(READY)  ## test the app in Chromium, which Debian's package brings if it is not there
	@$(PYTHON) -m pip install -qq --disable-pip-version-check --constraint constraints.txt --editable ".[browser]"
	@command -v chromium || command -v chromium-browser || command -v google-chrome || apt-get install -qq --yes chromium
	@$(PYTHON) -m pytest tests/test_app.py tests/test_browser.py

lint: $(READY)  ## check style and types
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy

fix: $(READY)  ## mend style where it can be mended by itself
	@$(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .
