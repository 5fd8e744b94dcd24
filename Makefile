# One non-recursive Makefile. VARIANT is debug (ASan and UBSan, the default, for tests), release
# (hardened), cov, or fuzz (clang, libFuzzer). Each has its own folder below build/.
VARIANT ?= debug
VERSION := $(shell cat VERSION)
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
O       := build/$(VARIANT)

CC       := gcc
MUSL_CC  := musl-gcc
AR       := ar
PKGS     := libcurl openssl jansson yaml-0.1 libmicrohttpd libarchive libedit
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
            -Wpointer-arith -Wvla -Wformat=2 -Wcast-qual -Wundef -Werror
CPPFLAGS += -I. -D_GNU_SOURCE
CFLAGS   += -std=gnu11 -g $(WARN) -fno-common -ffile-prefix-map=$(CURDIR)/=
ifeq ($(VARIANT),debug)
  CFLAGS += -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
  LDFLAGS += -fsanitize=address,undefined
else ifeq ($(VARIANT),cov)
  CFLAGS += -O0 --coverage
  LDFLAGS += --coverage
else ifeq ($(VARIANT),fuzz)
  CC := clang
  CFLAGS += -O1 -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
  LDFLAGS += -fsanitize=address,undefined
else
  CFLAGS += -O2 -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE \
            -D_FORTIFY_SOURCE=2 -ffunction-sections -fdata-sections
  LDFLAGS += -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--gc-sections -Wl,--as-needed
endif
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LIBS_ALL   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
pkg_libs    = $(shell pkg-config --libs $(1) 2>/dev/null)

base_src      := $(wildcard base/*.c)
k8s_src       := $(wildcard k8s/*.c)
gke_src       := $(wildcard gke/*.c)
presto_src    := $(wildcard presto/*.c)
operator_src  := $(filter-out operator/main.c,$(wildcard operator/*.c))
provision_src := $(filter-out provision/main.c,$(wildcard provision/*.c))
agent_src     := $(filter-out operator/agent/main.c,$(wildcard operator/agent/*.c))
agent_base    := base/err.c base/mem.c base/buf.c base/sha256.c presto/memory.c
fault_src     := $(wildcard tests/fault/*.c)
manifests     := $(wildcard presto/manifests/*.yaml) $(wildcard provision/schema/*.yaml)
unit_src      := $(wildcard tests/unit/test_*.c)
fuzz_src      := $(wildcard tests/fuzz/fuzz_*.c)

obj = $(patsubst %.c,$(O)/%.o,$(1))
libs := base k8s gke presto operator provision agent fault
lib_files := $(foreach l,$(libs),$(if $($(l)_src),$(O)/lib$(l).a))

all: programs
programs: $(O)/prestoctl $(O)/presto-operator $(O)/presto-agent
release:
	$(MAKE) --no-print-directory VARIANT=release programs

define lib_rule
$(O)/lib$(1).a: $(call obj,$($(1)_src)) $(2)
	@rm -f $$@; $(AR) rcs $$@ $$^
endef
$(foreach l,$(filter-out presto provision,$(libs)),$(eval $(call lib_rule,$(l),)))
$(eval $(call lib_rule,presto,$(O)/presto/embed.o))
$(eval $(call lib_rule,provision,$(if $(wildcard provision/embed.S),$(O)/provision/embed.o)))

$(O)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CPPFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(O)/%.o: %.S $(manifests) Makefile
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) -c -o $@ $<
# The version is compiled into one file of its own, so that a commit rebuilds just that.
$(O)/base/version.o: CPPFLAGS += -DVERSION='"$(VERSION)"' -DCOMMIT='"$(COMMIT)"'
$(O)/base/version.o: VERSION $(O)/commit
$(O)/commit: FORCE
	@mkdir -p $(@D); echo '$(COMMIT)' | cmp -s - $@ || echo '$(COMMIT)' > $@
FORCE:

link = @echo "  LD    $@"; $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^)
$(O)/prestoctl: $(O)/provision/main.o $(O)/libprovision.a $(if $(gke_src),$(O)/libgke.a) $(O)/libk8s.a $(O)/libpresto.a $(O)/libbase.a
	$(link) $(call pkg_libs,libcurl openssl jansson yaml-0.1 libmicrohttpd libarchive libedit)
$(O)/presto-operator: $(O)/operator/main.o $(O)/liboperator.a $(O)/libk8s.a $(O)/libpresto.a $(O)/libbase.a
	$(link) $(call pkg_libs,libcurl openssl jansson yaml-0.1 libmicrohttpd)
# Always static, never instrumented: it is PID 1 in an image that we know nothing about.
$(O)/presto-agent: operator/agent/main.c $(agent_src) $(agent_base) $(wildcard operator/agent/*.h base/*.h) VERSION Makefile
	@mkdir -p $(@D); echo "  MUSL  $@"
	@$(MUSL_CC) -static -s -Os -std=gnu11 $(WARN) $(CPPFLAGS) -DVERSION='"$(VERSION)"' -ffile-prefix-map=$(CURDIR)/= \
	  -ffunction-sections -fdata-sections -Wl,--gc-sections -fstack-protector-strong -o $@ $(filter %.c,$^)

# --- tests -------------------------------------------------------------------------------------
unit_bin := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(unit_src))
$(O)/tests/unit/test_%: $(O)/tests/unit/test_%.o $(lib_files)
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(lib_files) -Wl,--end-group $(LIBS_ALL) -lcmocka -lpthread
unit-build: $(unit_bin)
unit: unit-build programs
	@scripts/unit $(unit_bin)

fuzz_bin := $(patsubst tests/fuzz/%.c,$(O)/tests/fuzz/%,$(fuzz_src))
# In every variant but fuzz the targets get a main that replays files; in fuzz, libFuzzer's.
$(O)/tests/fuzz/fuzz_%: $(O)/tests/fuzz/fuzz_%.o $(if $(filter-out fuzz,$(VARIANT)),$(O)/tests/fuzz/replay.o) $(lib_files)
	@$(CC) $(CFLAGS) $(LDFLAGS) $(if $(filter fuzz,$(VARIANT)),-fsanitize=fuzzer) -o $@ $(filter %.o,$^) \
	  -Wl,--start-group $(lib_files) -Wl,--end-group $(LIBS_ALL)
fuzz-build: $(fuzz_bin)
fuzz-replay: fuzz-build
	@scripts/fuzz-replay $(O)/tests/fuzz

golden: programs $(O)/tests/unit/test_golden $(O)/tests/unit/test_objects $(O)/tests/unit/test_gke_spec
	@tests/golden/run $(if $(UPDATE),--update)
lint:
	@scripts/lint
bench: release
	@tests/bench/run
format:
	clang-format -i $$(git ls-files '*.c' '*.h')
compile_commands.json: Makefile
	@scripts/compile-commands > $@
clean:
	rm -rf build

.PHONY: all programs release unit unit-build fuzz-build fuzz-replay golden lint bench format clean FORCE
.SECONDARY:
-include $(shell find $(O) -name '*.d' 2>/dev/null)
