# vwire: build, test, run.  `make help` lists the targets.
#
# BUILD chooses the variant (release, asan, cover, fuzz); each has its own folder below build/.

VERSION := 0.1.0
BUILD ?= release
OUT := build/$(BUILD)
CC ?= gcc
PKGS := glib-2.0 libcjson gsl yaml-0.1
PREFIX ?= /usr/local
DESTDIR ?=

LIBS_MISSING = $(shell pkg-config --exists $(PKGS) 2>/dev/null && \
    echo '\#include <Random123/philox.h>' | $(CC) -E -x c - >/dev/null 2>&1 || echo yes)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
        -Wwrite-strings -Wno-unused-parameter
CPPFLAGS += -I. -D_GNU_SOURCE -DVWIRE_VERSION='"$(VERSION)"' $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
CFLAGS_release := -O2 -g
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
CFLAGS_cover := -O0 -g --coverage
CFLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer
CFLAGS := -std=gnu11 $(WARN) $(CFLAGS_$(BUILD)) $(EXTRA_CFLAGS)
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_cover := --coverage
LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined
LDFLAGS += $(LDFLAGS_$(BUILD))
LDLIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm

LIB_SRC := $(sort $(wildcard base/*.c models/*.c models/*/*.c sim/*.c))
CLI_SRC := $(sort $(wildcard cli/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(OUT)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(OUT)/%.o)
TEST_SRC := $(sort $(wildcard tests/*/test_*.c))
TEST_BIN := $(TEST_SRC:%.c=$(OUT)/%)
BENCH_SRC := $(sort $(wildcard tests/bench/*.c))
BENCH_BIN := $(BENCH_SRC:%.c=$(OUT)/%)
FUZZ_SRC := $(sort $(wildcard tests/fuzz/*.c))
FUZZ_BIN := $(FUZZ_SRC:%.c=$(OUT)/%)
ALL_C := $(LIB_SRC) $(CLI_SRC) $(TEST_SRC) $(BENCH_SRC) $(FUZZ_SRC) $(wildcard tests/*.c)
VWIRE := $(OUT)/vwire

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

all: $(VWIRE) ## build the program

$(VWIRE): $(CLI_OBJ) $(OUT)/libvwire.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(CLI_OBJ) $(OUT)/libvwire.a $(LDLIBS)

$(OUT)/libvwire.a: $(LIB_OBJ)
	rm -f $@
	$(AR) rcsP $@ $(LIB_OBJ)

$(OUT)/%.o: %.c Makefile | need-libs
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/tests/fuzz/%: tests/fuzz/%.c $(OUT)/libvwire.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(OUT)/libvwire.a $(LDLIBS)

$(OUT)/tests/%: tests/%.c $(OUT)/libvwire.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(OUT)/libvwire.a \
	    $(LDLIBS) $(shell pkg-config --libs check 2>/dev/null)

need-libs:
ifneq ($(LIBS_MISSING),)
	@echo "vwire needs pkg-config, the libraries $(PKGS) and the headers of Random123;" >&2
	@echo "on Debian: make deps   (or: apt-get install pkg-config libglib2.0-dev libcjson-dev libgsl-dev libyaml-dev librandom123-dev check)" >&2
	@exit 1
endif

deps: ## install what building, running and testing need (Debian packages)
	@tests/install-deps build

run: deps ## install what is missing, build, deploy the testbed's video chain 20 times and show the result
	@$(MAKE) --no-print-directory -s -j2 all
	@$(VWIRE) run scenarios/testbed/video-sfc.yaml -n 20 -o results/video-sfc

check: deps ## install what is missing, build, pass the tests
	@$(MAKE) --no-print-directory -s -j2 test

test: $(VWIRE) $(TEST_BIN) ## run the tests of this variant
	@OUT=$(OUT) tests/run $(TEST_BIN)

bench: $(VWIRE) $(BENCH_BIN) ## measure engine, peers and scale; writes build/bench.json
	@OUT=$(OUT) tests/bench/run

fuzz: ## fuzz the readers of YAML, Kustomize input and ACLs (FUZZ_SECONDS each, default 60)
	@$(MAKE) --no-print-directory -s -j2 BUILD=fuzz CC=clang fuzz-bins
	@OUT=build/fuzz tests/fuzz/run

fuzz-bins: $(FUZZ_BIN)

cover: ## line coverage of the tests, by folder
	@$(MAKE) --no-print-directory -s -j2 BUILD=cover test
	@tests/cover build/cover

lint: $(LIB_OBJ) ## clang-tidy, cppcheck, shellcheck, include rule
	@OUT=$(OUT) CPPFLAGS="$(CPPFLAGS)" tests/lint

format: ## clang-format the C files in place
	clang-format -i $(ALL_C) $(wildcard */*.h */*/*.h)

install: $(VWIRE) ## install below PREFIX (default /usr/local), DESTDIR respected
	install -D -m 755 $(VWIRE) $(DESTDIR)$(PREFIX)/bin/vwire
	cd configs && find . -type f -exec install -D -m 644 {} $(DESTDIR)$(PREFIX)/share/vwire/configs/{} \;
	cd scenarios && find . -type f -exec install -D -m 644 {} $(DESTDIR)$(PREFIX)/share/vwire/scenarios/{} \;

clean: ## remove what was built
	rm -rf build

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: all deps run check test bench fuzz fuzz-bins cover lint format install clean help need-libs

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TEST_BIN:=.d) $(BENCH_BIN:=.d)
