VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
PIP := -m pip install -qq --disable-pip-version-check
# Without CUDA torch takes 5 GB less; where these wheels cannot be reached, the next step takes what is there
CPU_BUILD := --index-url https://download.pytorch.org/whl/cpu --retries 0 --timeout 20
EXTRAS := [offline,app,files,serve,mcp,langchain,train,eval,quantized,space]
NO_NOUNS := tests/lint_names.py modeling_nerret training eval hub_card tests benchmarks docs

.PHONY: demo test lint fix docs test-app test-bounds

# Installs everything into .venv; done again only when a requirement has changed
$(READY): pyproject.toml constraints.txt
	@echo "setting up $(VENV) (a few minutes the first time)"
	@test -x $(PYTHON) || python3 -m venv $(VENV)
	@$(PYTHON) $(PIP) --upgrade "pip>=25.1"
	@$(PYTHON) $(PIP) --constraint constraints.txt --no-deps $(CPU_BUILD) torch 2>/dev/null || true
	@$(PYTHON) $(PIP) --constraint constraints.txt torch
	@$(PYTHON) $(PIP) --constraint constraints.txt --group dev --editable ".$(EXTRAS)"
	@$(PYTHON) -c "import modeling_nerret"
	@touch $(READY)

demo: $(READY)  ## index the demo corpus and answer three type queries
	@$(PYTHON) -m modeling_nerret.cli demo

test: lint  ## check style and types, and run all tests
	@OMP_NUM_THREADS=1 $(PYTHON) -m pytest --numprocesses auto --dist loadfile

lint: $(READY)  ## check style, names and types
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(PYTHON) $(NO_NOUNS) && $(VENV)/bin/mypy

fix: $(READY)  ## correct what can be corrected automatically
	@$(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .

docs: $(READY)  ## build the documentation site into site/; a broken link or anchor is an error
	@$(PYTHON) $(PIP) --constraint constraints.txt --group docs
	@$(PYTHON) docs/notebook.py docs/tutorials/researcher.md
	@rm -rf build/api && mkdir -p build/api && cp -r modeling_nerret build/api && cp -r eval training build/api/modeling_nerret
	@find build/api -name "*.py" -exec sed -i.bak 's/^\( *\)Example:$$/\1Examples:/' {} +  # the word that griffe knows
	@$(VENV)/bin/zensical build --clean --strict

test-app: $(READY)  ## test the app in Chromium, which Debian's package brings if it is missing
	@$(PYTHON) $(PIP) --constraint constraints.txt --group browser
	@command -v chromium || command -v chromium-browser || command -v google-chrome || apt-get install -qq --yes chromium
	@$(PYTHON) -m pytest tests/test_app.py tests/test_browser.py tests/test_space_browser.py

test-bounds: $(READY)  ## test the oldest versions that pyproject.toml allows, and the newest, in environments of their own
	@$(PYTHON) tests/bounds.py
