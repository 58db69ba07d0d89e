# `make` lists what there is. Every target sets up first what it needs (.ci/setup.sh), and skips what is there.

PORT ?= 8080
# `make serve SERVE_FLAGS=` opens no browser.
SERVE_FLAGS ?= --open
WASM := --target wasm32-unknown-unknown

# The tools of the set-up: its own folder first, so that their versions are the right ones.
TOOLS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/delivery-lab
export PATH := $(TOOLS)/bin:$(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER := wasm-bindgen-test-runner
export CHROMEDRIVER ?= $(shell PATH="$(PATH)" command -v chromedriver)
export WASM_BINDGEN_TEST_TIMEOUT ?= 300
export TRUNK_SKIP_VERSION_CHECK := true
# trunk 0.21 takes NO_COLOR=1 for a bad value.
unexport NO_COLOR

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help setup setup-serve serve test lint fmt fmt-check clippy unit wasm dist browser bench conformance recipes picture clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: setup-serve ## set up, then serve the page and open it (PORT=8080, SERVE_FLAGS=--open)
	@echo "serve: http://127.0.0.1:$(PORT)/ (Ctrl-C stops it)"
	@trunk serve --port $(PORT) $(SERVE_FLAGS)

test: setup lint unit wasm dist browser ## set up, then run every test, the browser's included
	@echo "test: all passed"

lint: fmt-check clippy ## check the format, and clippy natively and for wasm32

unit: setup ## the native tests
	@echo "unit: cargo test"
	@cargo test --features cli
	@echo "unit: the page's components, rendered natively"
	@cargo test --features ui-test --bin delivery-lab

wasm: setup ## the tests that run as wasm in a browser
	@echo "wasm: cargo test for wasm32, in headless Chromium"
	@cargo test $(WASM) --features js --test wasm --test js --test js_bug

dist: setup ## build the page for release into dist/
	@echo "dist: trunk build --release"
	@trunk build --release

browser: dist ## the built page in a real browser
	@echo "browser: tests/browser against dist/, in headless Chromium"
	@node --test --test-concurrency=1 --test-reporter=spec tests/browser/*.test.mjs

bench: dist ## measure: native speed, the page's start, the page's size
	@.ci/bench.sh

conformance: ## record again what a real Kafka answers (needs Java 17), and show what changed
	@.ci/conformance.sh

recipes: dist ## build the recipes with mdBook, Hugo and Docusaurus, and try them in a browser
	@.ci/recipes.sh

picture: dist ## take the README's screenshot again
	@node tests/browser/picture.mjs

fmt: setup ## format the code
	@cargo fmt

clean: ## remove what was built (the tools stay, in ~/.cache/delivery-lab)
	@rm -rf target dist tests/browser/node_modules
	@echo "clean: removed target, dist and the browser tests' packages"

# ---- Parts of the above. ----

setup:
	@.ci/setup.sh test

setup-serve:
	@.ci/setup.sh serve

fmt-check: setup
	@echo "lint: cargo fmt --check"
	@cargo fmt --check

clippy: setup
	@echo "lint: clippy, native"
	@cargo clippy --all-targets --features cli -- -D warnings
	@echo "lint: clippy, wasm32"
	@cargo clippy $(WASM) --features ui,js --lib --bin delivery-lab --test wasm --test js --test js_bug -- -D warnings
