# Front end to CMake and the scripts in tools/. `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help bootstrap build install package test unit t matrix asan soak demo check format tidy fuzz clean

JOBS ?= $(shell nproc)
PRESET ?= release
BASE ?=
FUZZ_SECONDS ?= 60
PREFIX ?= /usr/local
VERSION ?=
SOURCES = $(shell git ls-files '*.cpp' '*.hpp' '*.c')

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | column -t -s '|'

bootstrap: ## install the Debian packages that build, tests and demo need (as root)
	@tools/bootstrap

build: ## build everything into build/$(PRESET); PRESET=dev: warnings are errors
	@cmake --preset $(PRESET) --log-level=WARNING >/dev/null
	@cmake --build build/$(PRESET) -j $(JOBS)

install: build ## install module, larderd, larderctl, manual pages and docs below PREFIX (/usr/local) and DESTDIR; nothing in /etc
	@DESTDIR=$(DESTDIR) cmake --install build/$(PRESET) --prefix $(PREFIX) >/dev/null
	@echo "In nginx.conf, at the top: load_module $(PREFIX)/lib/nginx/modules/ngx_http_larder_module.so;"

package: ## build the Debian packages into build/packages; VERSION=V: of that version
	@tools/bootstrap build package
	@LARDER_PACKAGE_VERSION=$(VERSION) tools/package

test: bootstrap build ## all tests and checks, with one line for each at the end
	@tools/test PRESET=$(PRESET) JOBS=$(JOBS)

unit: build ## unit tests alone
	@tools/test PRESET=$(PRESET) JOBS=$(JOBS) unit

t: build ## system tests alone: make t [T='t/10-*.t']
	@tools/test PRESET=$(PRESET) JOBS=$(JOBS) system $(T)

matrix: bootstrap build ## system tests on nginx of several Debian releases, for docs/install.md; SOURCES="DIR...": also on these source trees
	@JOBS=$(JOBS) tools/matrix --write $(foreach source,$(SOURCES),--source $(source)) $(T)

asan: ## unit and system tests under address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory build PRESET=asan-ubsan
	@tools/test PRESET=asan-ubsan JOBS=$(JOBS) unit system

soak: build ## random histories on all configurations, and hostile clients and sites, for hours; PRESET=asan-ubsan: with sanitizers
	@LARDER_MODEL_CONFIGURATIONS=all LARDER_MODEL_REQUESTS=40000 LARDER_HOSTILE_SECONDS=1800 \
		tools/test PRESET=$(PRESET) JOBS=1 system t/95-model.t t/96-hostile.t

demo: bootstrap build ## run the example site behind Larder; ARGS=--tour checks it and exits
	@examples/demo $(ARGS)

check: ## rules that a compiler doesn't check; BASE=COMMIT: also the messages of the commits since then
	@tools/test PRESET=$(PRESET) BASE=$(BASE) checks

format: ## format the sources in place
	@tools/bootstrap develop
	@clang-format -i $(SOURCES)

tidy: ## clang-tidy over the sources
	@tools/bootstrap build develop
	@cmake --preset dev --log-level=WARNING >/dev/null
	@printf '%s\n' $(filter %.cpp,$(SOURCES)) | xargs -n 1 -P $(JOBS) clang-tidy -p build/dev --quiet

fuzz: ## run each fuzz target for FUZZ_SECONDS
	@tools/bootstrap build develop
	@$(MAKE) --no-print-directory build PRESET=fuzz
	@for target in build/fuzz/tests/fuzz/fuzz_*[!.]; do \
		[ -x $$target -a -f $$target ] || continue; \
		echo "== $$target"; mkdir -p $$target.corpus; name=$${target##*/fuzz_}; \
		case $$name in esi_*) dict=-dict=tests/corpus/esi/fuzz/esi.dict;; *) dict=;; esac; \
		$$target -max_total_time=$(FUZZ_SECONDS) -print_final_stats=0 -artifact_prefix=$$target. $$dict \
			$$target.corpus $$(ls -d tests/corpus/*/fuzz/$$name 2>/dev/null) || exit 1; \
	done

clean: ## remove build/
	@rm -rf build
