# Every command of the project; `make` alone lists them.
.PHONY: help up test test-clients lint fmt bench chaos fuzz
.DEFAULT_GOAL := help

help: ## This list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

up: ## Build and run all of Sluice on this machine; ARGS="--demo --proxies 3" goes to `sluice up`
	@scripts/up.sh $(ARGS)

test: ## Everything that CI runs
	@scripts/test.sh

test-clients: ## The coding agents and frameworks, about one gigabyte of them, with every dialect
	@scripts/test-clients.sh

lint: ## Form, lints, documentation
	@scripts/lint.sh

fmt: ## Bring the code into form
	@cargo fmt --all
	@cargo fmt --manifest-path fuzz/Cargo.toml

bench: ## Measure the figures that Sluice promises
	@scripts/bench.sh $(ARGS)

chaos: ## Limits under fire for about twenty minutes; SLUICE_CHAOS_SEED replays a run
	@scripts/chaos.sh

fuzz: ## Spoilt samples to what reads others' bytes, 60 s a target; ARGS="600 stream" for longer or fewer
	@scripts/fuzz.sh $(ARGS)
