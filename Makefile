# Bitrix24 Relay. `make` alone prints what there is.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help env judges lock run invoke build check format test unit clean

PIN := --quiet --no-header --generate-hashes --no-annotate --python-version 3.13

help: ## This help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: .venv/.ready .venv-sam/.ready .venv-lambda/.ready

.venv/.ready: requirements/dev.txt
	@local/make-env .venv $^
.venv-sam/.ready: requirements/sam.txt .venv/.ready
	@local/make-env .venv-sam requirements/sam.txt
.venv-lambda/.ready: requirements/lambda.txt .venv/.ready
	@local/make-env .venv-lambda requirements/lambda.txt

# Judges of the simulated portal: other people's clients, and a browser.
.venv-peers/.ready: requirements/peers.txt .venv/.ready
	@local/make-env .venv-peers requirements/peers.txt
tests/peers/node_modules/.ready: tests/peers/package-lock.json
	@cd tests/peers && npm ci --silent && touch node_modules/.ready
.venv/.browser: requirements/browser.txt .venv/.ready
	@local/make-env .venv requirements/browser.txt
	@local/need-chromium >/dev/null
	@touch $@
judges: .venv-peers/.ready tests/peers/node_modules/.ready .venv/.browser

lock: .venv/.ready ## Pin the dependencies anew, with hashes
	.venv/bin/uv pip compile $(PIN) pyproject.toml -o src/requirements.txt
	local/pure-hashes src/requirements.txt
	.venv/bin/uv pip compile $(PIN) pyproject.toml --group dev -o requirements/dev.txt
	.venv/bin/uv pip compile $(PIN) --group sam -o requirements/sam.txt
	.venv/bin/uv pip compile $(PIN) --group lambda -o requirements/lambda.txt
	.venv/bin/uv pip compile $(PIN) --group peers -o requirements/peers.txt
	.venv/bin/uv pip compile $(PIN) -c requirements/dev.txt --group browser -o requirements/browser.txt

AWS_PORT ?= 4566
PORTAL_PORT ?= 8024
HTTPS_PORT ?= 8025
run: env ## The whole bundle on this machine: local AWS, demo portal, deployed; Ctrl-C ends it
	@.venv/bin/python -m local.run --aws-port $(AWS_PORT) --portal-port $(PORTAL_PORT) --https-port $(HTTPS_PORT)

invoke: env ## One function, one sample event: make invoke FUNCTION=… EVENT=…
	@.venv/bin/python -m local.invoke "$(FUNCTION)" "$(EVENT)"

build: env ## Build what is deployed: SAM's build, less to load, compiled
	.venv/bin/python -m ops.build

check: .venv/.ready ## Lint, types, template
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	PYTHONPATH=src:. .venv/bin/lint-imports --no-cache --no-logo
	.venv/bin/interrogate -q src tests

format: .venv/.ready ## Format and mend what can be mended
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

unit: .venv/.ready ## Unit tests: seconds, no network
	.venv/bin/pytest -q tests/unit

clean: ## Remove what was built and installed
	rm -rf .venv .venv-sam .venv-lambda .venv-peers tests/peers/node_modules .aws-sam .local
