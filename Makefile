# `make app` is all that a user needs. Works with GNU make 3.81 (macOS) and Python 3.11 or newer.
PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
INSTALL := $(UV) pip install --python $(BIN)/python

.DEFAULT_GOAL := help
.PHONY: help app test check format pins clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

app: $(VENV)/app.stamp  ## install what is missing and open the dashboard
	$(BIN)/python -m streamlit run app.py

# One thread a worker: two workers on two cores, and the same rounding everywhere.
test: $(VENV)/dev.stamp  ## run the tests (a part of them: make test ARGS="tests/models -k norm")
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: $(VENV)/dev.stamp  ## ruff, mypy and the import rules, all of them even if one fails
	@failed=0; for step in "ruff check ." "ruff format --check ." mypy lint-imports; do \
	  echo "== $$step"; $(BIN)/$$step || failed=1; done; exit $$failed

format: $(VENV)/dev.stamp  ## let ruff mend what it can
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --no-header \
	--no-annotate --no-emit-index-url --no-emit-find-links
WHY := All packages at one version, for every system and Python, so that what was tested is what is installed

# CUDA's packages are left out of the pins: torch names their versions itself, and a torch without CUDA
# (UV_TORCH_BACKEND=cpu, gigabytes smaller on Linux) can then be installed from the same file.
pins: | $(UV)  ## pin the newest versions that pyproject.toml allows
	{ echo "# $(WHY). Made by make pins."; \
	  $(COMPILE) pyproject.toml | grep -vE '^(cuda|nvidia|triton)'; } > $(VENV)/pins.txt
	mv $(VENV)/pins.txt requirements.txt
	{ echo "# What the tests and checks need besides. Made by make pins."; echo "-r requirements.txt"; \
	  $(COMPILE) --group pyproject.toml:dev --constraints requirements.txt \
	  | grep -vE '^(cuda|nvidia|triton)'; } > $(VENV)/pins.txt
	mv $(VENV)/pins.txt requirements-dev.txt

clean:  ## remove the environment and the caches (your workspace/ stays)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .grimp_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make a second `make app` instant: nothing is installed until the pins change.
$(VENV)/app.stamp: requirements.txt | $(UV)
	$(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements.txt requirements-dev.txt | $(UV)
	$(INSTALL) -r requirements-dev.txt
	@touch $@

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "MedGAN needs \
	Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) -V 2>/dev/null || echo not there): install one from \
	python.org, or name the one you have: make app PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make environments: \
	install its venv module (on Debian and Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
