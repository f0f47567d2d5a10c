# The targets for working with clubsync; `make` alone lists them.
# .venv keeps its interpreter: `make install PYTHON=python3.13` is needed only once.
PYTHON ?= $(or $(wildcard $(shell sed -n 's/^executable = //p' .venv/pyvenv.cfg 2>/dev/null)),python3)
BIN := .venv/bin
WORKERS ?= 2
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install up cluster down status airflow lint prose format test test-long queries connectors schema settings reliability bench chart sbom audit browser mitmproxy pocketbase pretix vendure lock

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: ## create or update the Python environment
	@$(PYTHON) stack/bootstrap.py

up: install ## start everything that is not running, show the first syncs
	@$(BIN)/python -m stack up

cluster: install ## the same with Celery: Redis (apt-get install redis-server) and two workers
	@$(BIN)/python -m stack cluster

down: ## stop everything
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m stack down; else echo "Nothing is installed."; fi

status: install ## show the processes and their health
	@$(BIN)/python -m stack status

airflow: install ## run Airflow's command line on this stack: make airflow ARGS="dags list"
	@$(BIN)/python -m stack airflow $(ARGS)

lint: install ## check style, types, import rules and wording
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONWARNINGS=ignore:resource_tracker $(BIN)/sqlfluff lint -q --processes 0 sql
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m stack.prose

prose: install ## check the wording of everything people read (docs/vocabulary.yaml)
	$(BIN)/python -m stack.prose

format: install ## format the code with ruff and sqlfluff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	PYTHONWARNINGS=ignore:resource_tracker $(BIN)/sqlfluff fix -q --processes 0 sql

browser: # install chromium for the tests of the pages; without it they are skipped
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	       && apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install chromium >/dev/null; } \
	  || echo "No chromium on this machine: the tests of the pages are skipped."

mitmproxy: install # install the proxy between the tests and a real Tryton; without it the tests of a bad line fail
	@$(PYTHON) stack/bootstrap.py mitmproxy || echo "No mitmproxy: the tests of the bad line fail."

pocketbase: install # install a real server that the tests of `rest` read; without it they fail
	@$(PYTHON) stack/bootstrap.py pocketbase || echo "No PocketBase: its tests fail."

pretix: install # the same for the long tests, which are skipped without it
	@$(PYTHON) stack/bootstrap.py pretix || echo "No pretix: its tests are skipped."

VENDURE := tests/support/products/vendure_club
vendure: # the same, with npm
	@cmp -s $(VENDURE)/package-lock.json .npm-vendure/installed.json \
	  || { command -v npm >/dev/null && mkdir -p .npm-vendure && cp $(VENDURE)/package*.json .npm-vendure \
	       && (cd .npm-vendure && npm ci --ignore-scripts --no-audit --no-fund --loglevel error) \
	       && cp $(VENDURE)/package-lock.json .npm-vendure/installed.json; } \
	  || echo "No npm, or no packages: the tests of Vendure are skipped."

test: install browser mitmproxy pocketbase ## run lint and all tests that are not long
	@$(BIN)/python -m tests.everything $(WORKERS)

test-long: install browser mitmproxy pocketbase pretix vendure ## run the tests that take minutes
	$(BIN)/python -m pytest -m long -n $(WORKERS) --dist loadgroup

queries: install ## update clubsync/store/queries.pyi: the types of sql/queries/, as PostgreSQL finds them
	$(BIN)/python -m pytest tests/sql/test_queries.py -q --write-queries

connectors: install ## update docs/connectors.md, if the contract suite is green
	$(BIN)/python -m pytest tests/contract -q --write-connectors

schema: install ## update config/clubs.schema.json from the model of clubs.yaml
	$(BIN)/clubsync clubs schema | $(BIN)/python -m json.tool --no-ensure-ascii --indent 2 > config/clubs.schema.json

settings: install ## update docs/settings/ from the connectors' settings classes
	$(BIN)/python -m stack.reference

reliability: install ## update docs/reliability.md: ERPs edited while they are read; kills, crashes, two workers; Airflow in unrest
	$(BIN)/python -m tests.promise
	$(BIN)/python -m tests.fuzz
	$(BIN)/python -m tests.kills
	$(BIN)/python -m tests.e2e.unrest

bench: install ## measure speed and check it against the gates
	@$(PYTHON) stack/bootstrap.py bench || echo "No dlt and datacompy: not compared with."
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.chart

chart: install ## draw the charts again from the newest results, and count what more clubs need (docs/growth.md)
	$(BIN)/python -m benchmarks.chart
	$(BIN)/python -m benchmarks.growth

sbom: install ## write var/sbom.cdx.json: every installed package with its version and licence (CycloneDX)
	@mkdir -p var
	$(BIN)/cyclonedx-py environment .venv --pyproject pyproject.toml --output-reproducible --output-file var/sbom.cdx.json

# Without what pretix pins: a server that only tests start, on 127.0.0.1, and that is theirs to update.
AUDITED = $(filter-out requirements-pretix.lock,$(wildcard *.lock))
audit: install ## look every locked package up in the Python advisory database (needs the internet)
	$(BIN)/pip-audit --require-hashes --disable-pip $(foreach lock,$(AUDITED),--requirement $(lock))

COMPILE = $(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header --no-annotate
lock: install ## update the locks from pyproject.toml, keeping versions that still fit
	$(COMPILE) --extra sandbox --extra dev pyproject.toml -c requirements.lock -o requirements.lock
	$(COMPILE) pyproject.toml -c requirements.lock -o requirements-runtime.lock
	for name in mitmproxy pocketbase pretix bench; do \
	  $(COMPILE) --group $$name -o requirements-$$name.lock || exit 1; \
	done
	sed -i -E "s/( ;| and) platform_python_implementation == 'CPython' and \(sys_platform == 'darwin' or sys_platform == 'linux'\)( \\\\)?$$/\2/" *.lock
