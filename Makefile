# biasloop: `make run` to label, `make test` to test. Both set up what they need.

PYTHON ?= python3
VENV := .venv
LS_VENV := .venv-labelstudio
WORKSPACE ?= workspace
BIASLOOP := $(VENV)/bin/biasloop

.PHONY: run demo test lint format clean setup
.DEFAULT_GOAL := run

run: setup $(LS_VENV)/.done ## the loop with an embedded Label Studio and a web page
	@[ -f $(WORKSPACE)/biasloop.toml ] || $(BIASLOOP) init $(WORKSPACE) --campaign job_ads_it --example-ads
	@[ -d $(WORKSPACE)/models ] || $(BIASLOOP) --workspace $(WORKSPACE) train
	@$(BIASLOOP) --workspace $(WORKSPACE) up

demo: setup $(LS_VENV)/.done ## five rounds with simulated annotators
	@rm -rf demo
	@$(BIASLOOP) demo demo

test: setup $(LS_VENV)/.done lint ## everything that is tested, on a real Label Studio
	@scripts/system-packages
	@$(VENV)/bin/pytest

lint: setup
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

format: setup
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

clean: ## removes environments, caches and the demo, never a workspace
	rm -rf $(VENV) $(LS_VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist

setup: $(VENV)/.done

# torch first and by its pinned version: anything else pulls gigabytes of CUDA packages.
$(VENV)/.done: pyproject.toml constraints.txt
	@echo "setting up biasloop in $(VENV) (a few minutes the first time)"
	@[ -d $(VENV) ] || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet "$$(grep '^torch==' constraints.txt)"
	@$(VENV)/bin/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(LS_VENV)/.done:
	@echo "setting up Label Studio in $(LS_VENV) (a few minutes the first time)"
	@[ -d $(LS_VENV) ] || $(PYTHON) -m venv $(LS_VENV)
	@$(LS_VENV)/bin/pip install --quiet label-studio==1.23.2
	@touch $@
