# biasloop: `make run` to label, `make test` to test. Both set up what they need.

PYTHON ?= python3
VENV := .venv
LS_VENV := .venv-labelstudio
WORKSPACE ?= workspace
BIASLOOP := $(VENV)/bin/biasloop
LOGS := .test-logs
# The line in which pytest sums up.
SUM := ^=+ .* in [0-9.]+s.* =+$$
# Targets side by side; the others go on when one fails.
TOGETHER := --no-print-directory --keep-going --jobs=3
# What mostly waits: processes that are killed, servers that go down and come back.
INTERRUPTED := $(addprefix tests/acceptance/test_,kill.py soak.py outage.py faults.py unreliable.py)

.PHONY: run demo test test-parts test-served test-interrupted test-heavy lint format clean setup
.DEFAULT_GOAL := run

run: setup $(LS_VENV)/.done ## the loop with an embedded Label Studio and a web page
	@[ -f $(WORKSPACE)/biasloop.toml ] || $(BIASLOOP) init $(WORKSPACE) --campaign job_ads_it --example-ads
	@[ -d $(WORKSPACE)/models ] || $(BIASLOOP) --workspace $(WORKSPACE) train
	@$(BIASLOOP) --workspace $(WORKSPACE) up

demo: setup $(LS_VENV)/.done ## five rounds with simulated annotators
	@rm -rf demo
	@$(BIASLOOP) demo demo

# Three lanes side by side, for two cores: tests without a server compute, the others mostly wait.
# The output of each goes to a file, which is shown when the lane fails; all sums close the report.
test: ## everything that is tested, on a real Label Studio
	@$(MAKE) $(TOGETHER) $(VENV)/.done $(LS_VENV)/.done
	@scripts/system-packages
	@rm -rf $(LOGS) && mkdir $(LOGS)
	@$(MAKE) $(TOGETHER) $(addprefix $(LOGS)/test-,parts.log served.log interrupted.log); status=$$?; \
	  grep -hE '$(SUM)' $(LOGS)/*.log; exit $$status

$(LOGS)/%.log:
	@echo "$*: running, output in $@"
	@$(MAKE) --no-print-directory $* >$@ 2>&1 || { grep -vE '$(SUM)' $@; exit 1; }

test-parts: setup ## what needs neither Label Studio nor a browser
	@TEST_PORTS=20000-23999 $(VENV)/bin/pytest -m "not labelstudio and not browser and not heavy"

test-served: setup $(LS_VENV)/.done ## what needs one of them, and lint
	@$(MAKE) --no-print-directory lint; lint=$$?; \
	  TEST_PORTS=24000-26999 $(VENV)/bin/pytest tests/acceptance tests/labelstudio tests/web tests/gateway \
	  $(addprefix --ignore=,$(INTERRUPTED)) -m "(labelstudio or browser) and not heavy" && exit $$lint

test-interrupted: setup $(LS_VENV)/.done ## the loop killed, cut off and put to long use
	@TEST_PORTS=27000-29999 $(VENV)/bin/pytest $(INTERRUPTED) \
	  -m "(labelstudio or browser) and not heavy"

test-heavy: setup $(LS_VENV)/.done ## what takes hours; results go into benchmarks/RESULTS.md
	@scripts/system-packages
	@$(VENV)/bin/pytest --heavy -m heavy -rP

lint: setup
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

format: setup
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

clean: ## removes environments, caches and the demo, never a workspace
	rm -rf $(VENV) $(LS_VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist $(LOGS)

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
