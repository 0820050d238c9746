# Two commands: `make demo` and `make test`. Both make .venv first, from python3, and need nothing else but git.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV = $(shell command -v uv || echo $(BIN)/uv)
PYTEST = $(BIN)/python -m pytest
# One more than there are cores: a test waits for its server, and now and then for a lock, a signal or an Airflow.
JOBS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
SUPPORTED := 3.11 3.14
# Older versions of Airflow, each with the packages of its time (tests/airflow/airflow-3.1.txt): an environment for each.
OLDER_AIRFLOWS := 3.1 3.2
TEST_PACKAGES := apache-airflow-providers-slack pytest pytest-xdist statsd
# Warnings of their own code and of the packages of their time are not errors of ours.
OLDER_WARNINGS := -W default
SMOKE := tests/airflow/test_parse.py
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
OLDEST = $(firstword $(wildcard $(foreach version,15 16 17,/usr/lib/postgresql/$(version)/bin)))
CONTAINERS ?= $(notdir $(firstword $(shell command -v docker podman) docker))
ROWS ?= 1000000
MINUTES ?= 10
# Groups of tests that one process each runs. Three of them run side by side and each prints what it has to say at its end, where this
# make can do that; the longest comes first.
SERIAL := test-pages test-api test-e2e test-bench test-kubernetes test-oldest
SIDE_BY_SIDE := $(if $(filter output-sync,$(.FEATURES)),--jobs=3 --output-sync=target)

# Tests and the demo start Python hundreds of times: where it keeps no compiled modules, each start compiles Airflow anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test test-fast check test-unit test-database test-oldest test-airflow test-airflow-versions test-airflow-smoke test-kubernetes test-helm test-e2e test-web test-api test-pages test-bench bench bench-factory bench-files bench-latency bench-load bench-model bench-mysql bench-rest bench-web soak constraints docs image pin-images clean site

help:  ## Show what there is
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/demo  ## Run the whole product here; ARGS=--exit ends after the check
	@$(BIN)/dagfactory demo $(ARGS)

test: check test-unit test-database test-airflow test-helm  ## Lint, types, import contracts, and all tests
	@$(MAKE) --no-print-directory $(SIDE_BY_SIDE) $(SERIAL)

test-fast: check test-unit  ## For every day, in two minutes: no database, no Airflow

check: $(VENV)/dev  ## Lint, format, types, import contracts, names, and that constraints.txt resolves
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -q -p no:xdist tests/unit/repository
	@if command -v node > /dev/null; then \
		find airflow_plugin/web/static -name '*.js' | while read -r module; do \
			node --check --input-type=module < "$$module" || exit 1; \
		done && echo "The pages' modules are sound JavaScript"; \
	else \
		echo "airflow_plugin/web/static: not checked, there is no node"; \
	fi
	@for version in $(SUPPORTED); do \
		test -x "$(UV)" || { echo "constraints.txt: not checked, there is no uv"; break; }; \
		said=$$($(UV) pip compile --quiet --no-header --all-extras --python-version $$version \
			--constraint constraints.txt pyproject.toml 2>&1 > /dev/null) \
			&& { echo "constraints.txt resolves on Python $$version"; continue; }; \
		case "$$said" in \
			*"ailed to fetch"*|*"error sending request"*) \
				echo "constraints.txt on Python $$version: not checked, no package index answers" ;; \
			*) echo "$$said"; exit 1 ;; \
		esac; \
	done

test-unit: $(VENV)/dev  ## No database, no Airflow
	$(PYTEST) tests/unit -n auto --dist worksteal $(ARGS)

test-database: $(VENV)/dev  ## On a real PostgreSQL
	$(PYTEST) tests/database -n $(JOBS) --dist worksteal $(ARGS)

test-oldest: $(VENV)/dev  ## The strategies, on the oldest PostgreSQL of the system's packages
	@test -n "$(OLDEST)" || echo "no PostgreSQL 15 to 17 in /usr/lib/postgresql: strategies were tested on the embedded one only"
	$(if $(OLDEST),DAGFACTORY_TEST_POSTGRES=$(OLDEST) $(PYTEST) tests/database/merge/test_changes.py \
		tests/database/strategies/test_what_makes_a_batch_full.py tests/database/strategies/test_partition_trees.py \
		tests/database/strategies/test_lost_tables.py $(ARGS))

test-airflow: $(VENV)/dev  ## On a real Airflow
	$(PYTEST) tests/airflow -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-airflow-versions: $(OLDER_AIRFLOWS:%=.venv-airflow-%/test)  ## On each older Airflow that is supported; ARGS=FILES for less
	@for version in $(OLDER_AIRFLOWS); do \
		echo "Airflow $$version"; \
		.venv-airflow-$$version/bin/python -m pytest $(OLDER_WARNINGS) $(if $(ARGS),$(ARGS),tests/airflow -n $(JOBS) --dist loadfile --no-loadscope-reorder) || exit 1; \
	done

test-airflow-smoke:  ## One file of tests on each older Airflow: rows become DAGs in its dag-processor
	@$(MAKE) --no-print-directory test-airflow-versions ARGS=$(SMOKE)

test-kubernetes: $(VENV)/dev  ## Jobs in pods, on a stand-in for the API server; KUBECONFIG and DAGFACTORY_TEST_IMAGE for a real one
	$(PYTEST) tests/kubernetes $(ARGS)

test-helm: $(VENV)/dev  ## The chart, as helm renders it
	@command -v helm > /dev/null || test -x $(BIN)/helm || $(BIN)/python tests/helm/get_helm.py $(BIN)
	$(PYTEST) tests/helm -n auto --dist worksteal $(ARGS)

test-e2e: $(VENV)/dev  ## The demo, from beginning to end
	$(PYTEST) tests/e2e $(ARGS)

test-web: test-api test-pages  ## Both

test-api: $(VENV)/dev  ## The REST API, in a real Airflow
	$(PYTEST) tests/web --ignore=tests/web/browser $(ARGS)

test-pages: $(VENV)/dev  ## The pages, in a real Airflow and a browser
	$(PYTEST) tests/web/browser $(ARGS)

test-bench: $(VENV)/dev  ## A tiny run of the benchmarks, without looking at their times
	$(PYTEST) tests/benchmarks $(ARGS)

bench: $(VENV)/dev  ## Measure the merge job beside a raw copy; ROWS=5000000 for more, ARGS=--quick for less
	$(BIN)/python -m tests.benchmarks.merge --rows $(ROWS) $(ARGS)

bench-factory: $(VENV)/dev  ## Measure what thousands of streams cost in a parse; ARGS="--streams 1000" for less
	$(BIN)/python -m tests.benchmarks.factory $(ARGS)

bench-latency: $(VENV)/dev  ## Measure the time from a change until a consumer sees it, in 16 minutes; ARGS="--minutes 10" for more
	$(BIN)/python -m tests.benchmarks.latency $(ARGS)

soak: $(VENV)/dev  ## Kill jobs and databases while data changes, then judge every version; MINUTES=30 for longer
	$(BIN)/python -m tests.benchmarks.soak --minutes $(MINUTES) $(ARGS)

bench-rest: $(VENV)/dev  ## Measure a first load from an API on this machine beside dlt's extraction alone; ARGS="--records 10000" for less
	$(BIN)/python -m tests.benchmarks.rest $(ARGS)

bench-files: $(VENV)/dev  ## Measure loads from CSV, JSON Lines and Parquet beside COPY FROM; ARGS="--rows 100000" for less
	$(BIN)/python -m tests.benchmarks.files $(ARGS)

bench-load: $(VENV)/dev  ## Measure first loads by several connections beside a raw copy; ARGS="--rows 300000" for less
	$(BIN)/python -m tests.benchmarks.load $(ARGS)

bench-web: $(VENV)/dev  ## Measure the API with 2000 streams and 100000 batches; ARGS="--streams 200 --batches 10000" for less
	$(BIN)/python -m tests.benchmarks.web $(ARGS)

bench-mysql: $(VENV)/dev  ## Measure batches from MariaDB beside its rows read value by value; ARGS="--rows 100000" for less
	$(BIN)/python -m tests.benchmarks.mysql $(ARGS)

bench-model: $(VENV)/dev  ## Measure what a model of 10 to 10000 streams costs commands and jobs; ARGS="--streams 1000" for less
	$(BIN)/python -m tests.benchmarks.model $(ARGS)

constraints: $(VENV)/dev  ## Pin the newest of everything
	$(UV) pip compile --quiet --upgrade --no-annotate --no-header --all-extras --python-version 3.11 \
		pyproject.toml --output-file constraints.txt

docs: $(VENV)/dev  ## Write docs/reference anew, from the code and the schemas
	$(BIN)/python -m tests.docs

site: $(VENV)/dev  ## Build the documentation as a site into build/site, and check its links; needs no network
	$(BIN)/python -m tests.docs.site

image:  ## Build the merge-job image, with the version as its tag; BASE_IMAGE=... for another base, NETWORK=host without a bridge
	$(CONTAINERS) build -f merge_jobs/Dockerfile $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) \
		$(if $(NETWORK),--network=$(NETWORK)) \
		-t airflow-stream-factory/merge-job:$(VERSION) .

pin-images:  ## Ask the registries for the digests of the images that a release stands on, into .ci/base_images.txt
	$(PYTHON) .ci/base_images.py pin

clean:  ## Remove what the commands made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

# The extra that a stamp is named after, installed as pinned.
$(VENV)/demo $(VENV)/dev: $(VENV)/%: pyproject.toml constraints.txt | $(BIN)/python
	@command -v git > /dev/null || { echo "git is not there: install it, the model is kept in git"; exit 1; }
	@test -x "$(UV)" || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv \
		|| echo "uv is not to be had: pip installs, which takes longer"
	@echo "Installing what constraints.txt pins into $(VENV)"
	@if test -x "$(UV)"; then \
		$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[$*]'; \
	else \
		$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$*]'; \
	fi
	@touch $@

.venv-airflow-%/test: tests/airflow/airflow-%.txt pyproject.toml | $(BIN)/python
	@test -x "$(UV)" || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@echo "Installing Airflow $* into $(@D)"
	@$(UV) venv --quiet --clear --python 3.11 $(@D)
	@$(UV) pip install --quiet --python $(@D)/bin/python --constraint $< --editable '.[demo,openlineage]' $(TEST_PACKAGES)
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null \
		|| { echo "Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) --version 2>&1): make PYTHON=python3.13"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) -m venv failed: on Debian and Ubuntu install python3-venv"; exit 1; }
