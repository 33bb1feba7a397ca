# Bitrix24 Relay. `make` alone prints what there is.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help env judges lock run portal portal-wheel invoke new remove build deploy-check deploy connect rotate disconnect \
  portals robot doctor logs \
  listen sample trace dead redrive drop pause resume release history asof undo forget \
  rehearse replay apply \
  check format test bench unit clean

# With it Python would compile all of the environments anew at each start.
unexport PYTHONDONTWRITEBYTECODE

PIN := --quiet --no-header --generate-hashes --no-annotate --python-version 3.13

help: ## This help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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
	@local/need "the vendor's JavaScript client runs in it" "nodejs npm" npm >/dev/null
	@cd tests/peers && npm ci --silent && touch node_modules/.ready
.venv/.browser: requirements/browser.txt .venv/.ready
	@.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements/browser.txt
	@local/need "it drives the demo portal's page in the tests" chromium chromium google-chrome >/dev/null
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
run: env ## The whole bundle on this machine; Ctrl-C ends it
	@PYTHONPATH=src .venv/bin/python -m local.run --aws-port $(AWS_PORT) --portal-port $(PORTAL_PORT) --https-port $(HTTPS_PORT)

portal: .venv/.ready ## The simulated portal alone [SEED=seed.toml] [KEEP=…]
	@.venv/bin/python -m local.portal --port $(PORTAL_PORT) --https-port $(HTTPS_PORT) --state-file .local/portal.json \
	  $(if $(SEED),--seed "$(SEED)") $(if $(KEEP),--keep "$(KEEP)")

portal-wheel: .venv/.ready ## It as a wheel that installs alone, in dist/
	@.venv/bin/python -m local.portal_wheel

invoke: env ## One function, one sample event: FUNCTION=… EVENT=…
	@PYTHONPATH=src .venv/bin/python -m local.invoke "$(FUNCTION)" "$(EVENT)"

# ./relay has the operator's commands. A target hands it the variables of make's own command line.
given = $(foreach name,$(.VARIABLES),$(if $(findstring command line,$(origin $(name))),"$(name)=$$$(name)"))
relay = @./relay $@ $(given)

new: .venv/.ready ## A reaction of yours: NAME=… ON=deal [FIELD=stageId [TO=WON]]
	$(relay)

remove: .venv/.ready ## Undo it: make remove NAME=call_ada
	$(relay)

build: env ## Build what is deployed: SAM's build, less to load, compiled
	$(relay)

deploy-check: env ## Let CloudFormation judge the deploy; changes nothing
	$(relay)

deploy: env ## Build and deploy to AWS (samconfig.toml)
	$(relay)

connect: env ## Store a portal's token and webhooks, tried first [PROVE=1]
	$(relay)

rotate: env ## A new token or webhook, no event lost [FINISH=1 [GO=1]]
	$(relay)

disconnect: env ## Remove a portal's secrets: PORTAL=second [GO=1]
	$(relay)

portals: env ## Connected portals: what is stored, and does it work
	$(relay)

robot: env ## An address for robots: NAME=… (PORTAL=main, KIND=deal)
	$(relay)

doctor: env ## What works, what does not, what to do about it
	$(relay)

logs: env ## Follow what the functions write, the journal among it
	$(relay)

listen: env ## Live changes [ON=deal.updated] [RUN=call_ada [WRITE=1]]
	$(relay)

sample: env ## A real change as a masked sample: CHANGE=<id> NAME=…
	$(relay)

trace: env ## From a POST to each effect: ITEM= CHANGE= or REQUEST=
	$(relay)

dead: env ## What was given up, by reason [NAME=] [ONE=] [REASON=]
	$(relay)

redrive: env ## Send it back: all, or NAME= ONE= REASON= [RATE=] [DRY=1]
	$(relay)

drop: env ## Delete it for good: NAME= ONE= REASON= WHY=… [DRY=1]
	$(relay)

pause: env ## Take nothing from a queue, which keeps: NAME=follow_up
	$(relay)

resume: env ## Go on with a paused function: NAME=follow_up
	$(relay)

release: env ## Believe that what vanished is deleted (PORTAL=main)
	$(relay)

history: env ## Who changed what, from, to: ITEM=deal/662 [FIELD=stageId]
	$(relay)

asof: env ## An item as it was: ITEM=deal/662 AT=2026-03-01
	$(relay)

undo: env ## Write back what was taken: CHANGE= or SINCE= … [GO=1]
	$(relay)

forget: env ## Delete what the history keeps of an item: ITEM= [GO=1]
	$(relay)

rehearse: env ## Your code over what happened, dry: NAME= SINCE=7d
	$(relay)

replay: env ## What happened, to a reaction again: NAME= SINCE= [DRY=1]
	$(relay)

apply: env ## Every item of a kind, to a reaction: NAME= TO=contact
	$(relay)

check: env ## Lint, types, template
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	PYTHONPATH=src:. .venv/bin/lint-imports --no-cache --no-logo
	.venv/bin/cfn-lint template.yaml docs/rules.yaml
	@PATH="$(CURDIR)/.venv/bin:$$PATH" SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam validate --lint --region eu-central-1

format: .venv/.ready ## Format and mend what can be mended
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

test: env judges ## Everything: unit, integration, end to end on a local stack
	.venv/bin/pytest -q -n auto --cov --cov-report=
	.venv/bin/coverage report --fail-under=95
	.venv/bin/coverage report --fail-under=100 --include='src/relay/ingress/*,src/relay/portal/*,src/relay/tracking/*'

bench: env judges ## Measure, and print tables
	PYTHONPATH=src .venv/bin/python -m bench.ingress
	-PYTHONPATH=src .venv/bin/python -m bench.portal
	-PYTHONPATH=src .venv/bin/python -m bench.client
	-PYTHONPATH=src .venv/bin/python -m bench.tracking
	PYTHONPATH=src .venv/bin/python -m bench.reactions

unit: .venv/.ready ## Unit tests of src/relay and ops: seconds, no network
	.venv/bin/pytest -q -n auto --capture=sys --hypothesis-profile=quick tests/unit --ignore=tests/unit/local --ignore=tests/unit/local_portal

clean: ## Remove what was built and installed
	rm -rf .venv .venv-sam .venv-lambda .venv-peers tests/peers/node_modules .aws-sam .local
