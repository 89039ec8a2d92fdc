# Everything a person types.  Each target sets up what it needs first and does nothing twice.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
FLASK := $(BIN)/flask --app wsgi

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

ready:
	@$(PYTHON) tools/setup.py

ready-tests:
	@$(PYTHON) tools/setup.py tests

run: ready ## set up and serve on http://127.0.0.1:8000
	@$(FLASK) db upgrade
	@$(FLASK) users setup-link
	@exec $(BIN)/gunicorn wsgi:app

demo: ready ## the same with a sample mail server, a person and a living mailbox
	@exec $(BIN)/python -m demo

check: ready-tests ## lint, types and unit tests, under a minute
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/pytest -q -n 2 --dist worksteal -m "not postgres and not servers and not browser and not corpora"

test: ready-tests ## everything CI runs
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/pytest -n 2 --dist worksteal --ignore tests/browser
	@$(BIN)/pytest -n 2 --dist worksteal tests/browser

bench: ready-tests ## the figures of docs/performance.md, printed beside the peers'
	@$(BIN)/python -m bench

SECONDS ?= 60
fuzz: ready-tests ## hostile input for everything that reads, SECONDS=60 for each target; what breaks becomes a test
	@$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(TARGETS)

screenshots: ready-tests ## the pictures in docs/images
	@$(BIN)/python -m tests.browser.screens

docs: ready-tests ## the generated pages: environment variables, RFC table
	@$(BIN)/python tools/generate_docs.py

lock: ## renew the lock files after a change of pyproject.toml
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --extra mailsite --generate-hashes --universal --no-emit-index-url --no-header -q -o requirements/run.lock
	@$(BIN)/uv pip compile pyproject.toml --extra mailsite --group dev --generate-hashes --universal --no-emit-index-url --no-header -q -o requirements/dev.lock

.PHONY: help ready ready-tests run demo check test bench fuzz screenshots docs lock
