# `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
VENV := .venv
BIN := $(VENV)/bin
REQUIREMENTS := requirements/app.txt requirements/dev.txt
COMPILE := $(BIN)/pip-compile --quiet --strip-extras --no-header --no-emit-index-url --no-emit-trusted-host --no-emit-find-links
STOP := $(BIN)/python -m config.embedded_postgres stop
# A PostgreSQL of its own, whatever the environment and .env say. Ctrl-C ends the command, then stops it too.
OWN := trap : INT; export BATCHWISE_ENV=development DATABASE_URL=
# Overridable: make install PYTHON=/path/to/python3.12
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)

.PHONY: help install demo test screens words lint bench chaos run stop lock clean

help: ## lists the targets
	@grep -hE '^[a-z]+:.*## ' Makefile | awk -F ':.*## ' '{ printf "make %-8s %s\n", $$1, $$2 }'

install: $(VENV)/installed ## makes .venv with all requirements, and nothing else

$(VENV)/installed: $(REQUIREMENTS)
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		echo "Batchwise needs Python 3.11 or newer (Debian: apt-get install python3 python3-venv), or PYTHON=/path/to/one." >&2; exit 1; fi
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) can't make an environment (Debian: apt-get install python3-venv)." >&2; exit 1; }
	@echo "Installing into $(VENV) with $$("$(PYTHON)" --version) ..."
	@"$(PYTHON)" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/app.txt -r requirements/dev.txt
	@touch $@

demo: install ## the main job on this machine, from an import to sent mail
	@$(BIN)/python -m config.demo

test: install ## all tests, on an embedded PostgreSQL of their own; ARGS="-k name" chooses
	@$(OWN) BATCHWISE_VAR=var/test; code=0; $(BIN)/python -m pytest $(ARGS) || code=$$?; $(STOP); exit $$code

screens: install ## pictures of all screens, into docs/screens/
	@$(OWN) BATCHWISE_VAR=var/test BROWSER_TESTS=1; code=0; $(BIN)/python -m pytest -q tests/screens.py || code=$$?; $(STOP); exit $$code

words: install ## what is there to translate into LOCALE=de, and what is translated, made ready; needs gettext
	@if [ -z "$(LOCALE)" ]; then echo "Say which language: make words LOCALE=de" >&2; exit 2; fi
	@mkdir -p locale
	@$(OWN) BATCHWISE_VAR=var/test; code=0; $(BIN)/python manage.py makemessages --locale $(LOCALE) && \
		$(BIN)/python manage.py compilemessages --locale $(LOCALE) --ignore .venv || code=$$?; $(STOP); exit $$code

lint: install ## format, lint, types, room borders, migrations, deployment checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(OWN) BATCHWISE_VAR=var/test; code=0; set -x; $(BIN)/mypy && $(BIN)/lint-imports && \
		$(BIN)/python manage.py makemigrations --check --dry-run || code=$$?; { set +x; } 2>/dev/null; $(STOP); exit $$code
	@set -a; source .env.example; \
		SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))'); \
		CREDENTIAL_KEYS=$$($(BIN)/python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'); \
		set +a -x; $(BIN)/python manage.py check --deploy --fail-level WARNING

bench: install ## how long the steps take on this machine; ARGS="--dashboard" looks at a large queue
	@$(OWN) BATCHWISE_VAR=var/bench; code=0; $(BIN)/python -m config.bench $(ARGS) || code=$$?; $(STOP); exit $$code

chaos: install ## proves the promises under faults; ARGS="--seed 7 --mails 500" or --short
	@$(BIN)/python -m config.chaos $(ARGS)

run: install ## web and worker, with data that stays (var/)
	@$(BIN)/python -m config.run

stop: install ## stops an embedded PostgreSQL that was left running
	@code=0; for data in var/postgres var/{demo,test,bench,chaos}/postgres var/chaos/standby; do $(STOP) $$data || code=1; done; exit $$code

lock: install ## compiles requirements/*.in to *.txt, with the newest versions
	$(COMPILE) --upgrade --output-file requirements/app.txt requirements/app.in
	$(COMPILE) --upgrade --output-file requirements/dev.txt requirements/dev.in

clean: ## removes .venv and caches; data in var/ stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
