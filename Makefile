# make demo   see everything work on this machine alone
# make test   lint, unit and integration tests; sets itself up
# make .venv  the environment alone
SHELL := /bin/bash
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
PYTHON ?= $(shell command -v python3.11 || command -v python3)
export PATH := $(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# Nothing of this project's own may come from a user's other collections.
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/collections

.PHONY: help demo demo-down lab test lint unit integration machines faults roles test-aws test-openstack test-nomad test-k8s bench collection clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv: $(VENV)/.ready ## the Python environment
$(VENV)/.ready: pyproject.toml constraints.txt tools/make-venv
	tools/make-venv $(VENV) "$(PYTHON)" all

$(VENV)/.ready-test: $(VENV)/.ready pyproject.toml constraints.txt
	tools/make-venv $(VENV) "$(PYTHON)" test

demo: $(VENV)/.ready ## platform, experiment, figures and report on this machine alone
	@tools/demo

demo-down: $(VENV)/.ready ## stop the demo's platform (results stay)
	ansible-playbook -i inventories/embedded playbooks/openfaas.yml -e openfaas_state=absent

lint: $(VENV)/.ready-test ## style, types, Ansible's production profile
	ruff check .
	ruff format --check .
	mypy
	yamllint --strict .
	ansible-lint --offline --profile production

unit: $(VENV)/.ready-test ## tests without services
	pytest tests/unit

integration: $(VENV)/.ready-test ## tests against real services on this machine
	tools/test-packages
	pytest tests/integration $(addprefix --ignore tests/integration/,local aws openstack k8s)

lab: ## Docker and what else inventories/local needs (as root, Debian or Ubuntu)
	tools/lab start

machines: $(VENV)/.ready-test ## whole environments of machines in containers (as root)
	tools/test-machines

faults: $(VENV)/.ready-test ## the same, broken and healed (as root, a quarter of an hour)
	tools/test-faults

roles: $(VENV)/.ready-test ## each role on machines in containers, by Molecule (as root)
	tools/test-roles

test-aws: $(VENV)/.ready-test ## the AWS cloud against a server that speaks its API
	tools/test-aws

test-openstack: $(VENV)/.ready-test ## the OpenStack cloud against OpenStack's own services (as root on Debian 12)
	tools/test-openstack

test-nomad: $(VENV)/.ready-test ## Nomad on machines in containers; FAAS_FILES_REPO says where its archives are
	tools/test-nomad

test-k8s: $(VENV)/.ready-test ## a real Kubernetes, built from Debian's sources, on machines in containers
	tools/test-k8s

# Lanes, because each spends most of its time waiting: for machines, for services, or for requests.
test: lint unit ## lint, unit, integration, clouds, machines, roles (as root on Debian 12; about 40 minutes the first time)
	@tools/test-packages
	@tests/integration/openstack/openstack-up.sh --packages
	@tools/with-lab tools/test-lanes \
	  "services=make --no-print-directory integration" \
	  "clouds=make --no-print-directory test-aws test-openstack" \
	  "machines=make --no-print-directory machines" \
	  "roles=make --no-print-directory roles"

bench: $(VENV)/.ready-test ## figures: gateway, load generator, analysis
	@for script in tests/bench/bench_*.py; do echo "== $$script"; python "$$script" || exit 1; done

collection: $(VENV)/.ready ## build the collection's archive
	ansible-galaxy collection build --force --output-path dist

clean: ## remove what the tests and builds left behind (not .venv, not results)
	rm -rf dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .ansible src/*.egg-info
