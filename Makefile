# reqprof: one profile per HTTP request of an unmodified server.
# `make help` lists the targets; every variable below can be set on the command line.

PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR ?= $(PREFIX)/lib
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man

CC = gcc
CLANG ?= clang
CFLAGS ?= -O2 -g
WERROR ?= 1
SAN ?=
FUZZ_SECONDS ?= 60
STRESS_SECONDS ?= 2
EINTR_SECONDS ?= 600
ROWS ?=
BENCH ?=
PKG_CONFIG ?= pkg-config
B ?= build

VERSION := 0.1.0

ifneq ($(V),1)
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)';
endif

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wno-unused-parameter -Wno-missing-attributes -Wno-attributes
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif

BASE_FLAGS = -std=gnu11 -D_GNU_SOURCE -I. -DREQPROF_VERSION='"$(VERSION)"' $(WARNINGS)
TOOLS_PKGS := libdw libelf zlib jansson
TOOLS_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(TOOLS_PKGS))
TOOLS_LIBS = $(shell $(PKG_CONFIG) --libs $(TOOLS_PKGS)) -lm

SAN_FLAGS = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ifneq ($(SAN),)
EXTRA_SAN = -fsanitize=$(SAN) -fno-sanitize-recover=all
endif

# Run inside someone else's process: position independent, nothing exported but the hook table,
# thread-local storage that never allocates, and every symbol bound before the first call.
LIB_CFLAGS = -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-plt -fno-stack-protector -fcf-protection=none
LIB_LDFLAGS = -shared -Wl,-z,defs,-z,now,-z,relro,--as-needed -Wl,-soname,libreqprof.so -Wl,--version-script=preload/hook/libssl.map

# Reading profiles is the tools' business: it allocates.
FORMAT_READ := format/profile_read.c format/profile_find.c format/protobuf_read.c format/live_read.c
LIB_SRC := $(sort $(filter-out $(FORMAT_READ),$(wildcard preload/*.c preload/*/*.c preload/*/*/*.c format/*.c)))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/lib/%.o)
TOOL_SRC := $(sort $(wildcard tools/*.c tools/*/*.c format/*.c))
TOOL_OBJ := $(TOOL_SRC:%.c=$(B)/tool/%.o)

# What unit tests and fuzzers link with: all code that is neither a hook nor a main(), with sanitizers.
PURE_SRC := $(sort $(filter-out preload/init.c preload/hook/% tools/reqprof.c,$(LIB_SRC) $(TOOL_SRC)))
SAN_OBJ := $(PURE_SRC:%.c=$(B)/san/%.o)
FUZZ_OBJ := $(PURE_SRC:%.c=$(B)/fuzzobj/%.o)
UNIT := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
PROGRAMS := $(patsubst tests/programs/%.c,$(B)/tests/programs/%,$(sort $(wildcard tests/programs/*.c)))
MAN1 := $(sort $(wildcard man/*.1))
MAN5 := $(sort $(wildcard man/*.5))
MAN7 := $(sort $(wildcard man/*.7))

.PHONY: all help deps demo check check-unit check-bats check-lint check-eintr check-pythons check-suites fuzz fuzz-build bench soak bench-build bench-counts install uninstall clean programs unit
all: $(B)/libreqprof.so $(B)/reqprof

help:
	@echo 'make            build $(B)/libreqprof.so and $(B)/reqprof'
	@echo 'make deps       install what building and testing needs (Debian, as root)'
	@echo 'make demo       profile OpenStack placement under uwsgi and name its hottest lines'
	@echo 'make check      all tests; ends with "N passed, N failed"'
	@echo 'make check-unit / check-bats / check-lint    one part of them (BATS="tests/bats/ls.bats" for one file)'
	@echo 'make check-suites   other projects'"'"' own tests, bare and preloaded; the quick ones, or SUITES=full'
	@echo 'make check-eintr    no call is interrupted in an hour (EINTR_SECONDS=600 for each of six servers)'
	@echo 'make check-pythons   stacks of every CPython that can be had (STRESS_SECONDS=2 of signals for each)'
	@echo 'make fuzz       each fuzzer for FUZZ_SECONDS=$(FUZZ_SECONDS)'
	@echo 'make soak       nginx and uwsgi at saturation for SECONDS=60, or REQUESTS=1000000: nothing grows, nothing is missing'
	@echo 'make bench      speed, as ratios measured in one run (ROWS="placement nginx" for some; BENCH="--readme README.md", --json, --svg, --quick)'
	@echo 'make bench-counts   instructions of the hot paths by callgrind, against tests/bench/counts.txt'
	@echo 'make install    to DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)'
	@echo 'make clean      remove $(B)/'
	@echo 'Variables: V=1 shows commands, WERROR=0, SAN=address,undefined, CC, CFLAGS'

deps:
	@sh tests/deps.sh

$(B)/lib/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CFLAGS) $(BASE_FLAGS) $(LIB_CFLAGS) -MMD -MP -c $< -o $@

$(B)/tool/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CFLAGS) $(BASE_FLAGS) $(EXTRA_SAN) $(TOOLS_CFLAGS) -MMD -MP -c $< -o $@

$(B)/san/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC san,$@)
	$(Q)$(CC) -O1 -g $(BASE_FLAGS) $(SAN_FLAGS) $(TOOLS_CFLAGS) -MMD -MP -c $< -o $@

$(B)/fuzzobj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC fuzz,$@)
	$(Q)$(CLANG) -O1 -g $(BASE_FLAGS) -Wno-unknown-warning-option -fsanitize=fuzzer-no-link,address,undefined \
		-fno-sanitize-recover=all $(TOOLS_CFLAGS) -MMD -MP -c $< -o $@

$(B)/libreqprof.so: $(LIB_OBJ) preload/hook/libssl.map
	$(call say,LD,$@)
	$(Q)$(CC) $(LIB_LDFLAGS) -o $@ $(LIB_OBJ)

$(B)/reqprof: $(TOOL_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(EXTRA_SAN) -o $@ $(TOOL_OBJ) $(TOOLS_LIBS)

$(B)/libpure-san.a: $(SAN_OBJ)
	$(Q)rm -f $@; ar rcs $@ $^
$(B)/libpure-fuzz.a: $(FUZZ_OBJ)
	$(Q)rm -f $@; ar rcs $@ $^

$(B)/tests/unit/%: tests/unit/%.c $(B)/libpure-san.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) -O1 -g $(BASE_FLAGS) $(SAN_FLAGS) $(TOOLS_CFLAGS) -MMD -MP $< -o $@ $(B)/libpure-san.a $(TOOLS_LIBS) -ldl -lpthread

$(B)/tests/fuzz/%: tests/fuzz/%.c $(B)/libpure-fuzz.a
	@mkdir -p $(@D)
	$(call say,FUZZER,$@)
	$(Q)$(CLANG) -O1 -g $(BASE_FLAGS) -Wno-unknown-warning-option -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all $(TOOLS_CFLAGS) -MMD -MP $< -o $@ $(B)/libpure-fuzz.a $(TOOLS_LIBS) -ldl -lpthread

$(B)/tests/programs/%: tests/programs/%.c
	@mkdir -p $(@D)
	$(call say,PROGRAM,$@)
	$(Q)$(CC) -O2 -g $(BASE_FLAGS) -MMD -MP $< -o $@ $(PROGRAM_LIBS) -ldl -lpthread -lm
# Without its development package, which nothing else needs.
$(B)/tests/programs/conform_tls: PROGRAM_LIBS = -l:libssl.so.3 -l:libcrypto.so.3

# For the bench alone: the library with a handler that does nothing, what a file costs at least.
FLOOR_OBJ = $(filter-out $(B)/lib/preload/sigsafe/handler.o,$(LIB_OBJ)) $(B)/bench/empty_handler.o
$(B)/bench/empty_handler.o: preload/sigsafe/handler.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CFLAGS) $(BASE_FLAGS) $(LIB_CFLAGS) -DREQPROF_EMPTY_HANDLER -MMD -MP -c $< -o $@
$(B)/bench/libreqprof-floor.so: $(FLOOR_OBJ) preload/hook/libssl.map
	$(call say,LD,$@)
	$(Q)$(CC) $(LIB_LDFLAGS) -o $@ $(FLOOR_OBJ)
$(B)/bench/%.so: tests/bench/%.c
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(BASE_FLAGS) -fPIC -fvisibility=hidden -shared -MMD -MP $< -o $@ -ldl
# Drivers of the library's objects; at fixed addresses, so that callgrind counts the same each time.
ENGINE_OBJ = $(filter-out $(B)/lib/preload/init.o $(B)/lib/preload/hook/%,$(LIB_OBJ))
$(B)/bench/engine: tests/bench/engine.c tests/bench/deep_stack.c $(ENGINE_OBJ)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(BASE_FLAGS) -no-pie -MMD -MP -o $@ $^ -ldl -lpthread
$(B)/bench/hooks: tests/bench/hooks.c
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(BASE_FLAGS) -no-pie -MMD -MP -o $@ $< -ldl -lpthread
UNWIND_SRC = $(wildcard preload/sigsafe/unwind*.c preload/sigsafe/eh_*.c preload/sigsafe/module*.c) \
	preload/sigsafe/stack.c preload/sigsafe/peek.c
$(B)/bench/unwind_oracle.so: tests/oracle/unwind_oracle.c $(UNWIND_SRC)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -O2 -g $(BASE_FLAGS) -fPIC -ftls-model=initial-exec -fvisibility=hidden -fno-plt -shared -Wl,-z,defs,-z,now \
		-o $@ $^ -ldl -lpthread
bench-build: all $(B)/bench/unwind_oracle.so $(B)/bench/libreqprof-floor.so $(B)/bench/empty_file.so $(B)/bench/engine $(B)/bench/hooks

unit: $(UNIT)
programs: $(PROGRAMS)
fuzz-build: $(FUZZERS)

check: deps
	@$(MAKE) --no-print-directory check-built
.PHONY: check-built
check-built: all unit programs fuzz-build bench-build
	@tests/run all
check-unit: all unit
	@tests/run unit
check-bats: all programs bench-build
	@tests/run bats $(BATS)
# Ten minutes of each server that says what was interrupted, at ten times the usual rate.
check-eintr: all programs
	@EINTR_SECONDS=$(EINTR_SECONDS) FILE_SECONDS=$$((6 * ($(EINTR_SECONDS) + 120))) tests/run bats tests/bats/eintr.bats
check-pythons: all
	@STRESS_SECONDS=$(STRESS_SECONDS) tests/run pythons
check-lint: all
	@tests/run lint
check-suites: all
	@tests/run suites $(SUITES)

fuzz: fuzz-build
	@tests/fuzz/run $(FUZZ_SECONDS)

demo: deps
	@$(MAKE) --no-print-directory all
	@tests/demo.sh

bench: deps
	@$(MAKE) --no-print-directory bench-build
	@tests/bench/run --rows "$(ROWS)" $(BENCH)
bench-counts: bench-build
	@tests/run counts

soak: all programs
	@tests/soak.sh $(if $(REQUESTS),requests $(REQUESTS),seconds $(SECONDS))
SECONDS ?= 60

install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/reqprof $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7
	install -m 0755 $(B)/reqprof $(DESTDIR)$(BINDIR)/reqprof
	install -m 0644 $(B)/libreqprof.so $(DESTDIR)$(LIBDIR)/reqprof/libreqprof.so
	install -m 0644 $(MAN1) $(DESTDIR)$(MANDIR)/man1
	install -m 0644 $(MAN5) $(DESTDIR)$(MANDIR)/man5
	install -m 0644 $(MAN7) $(DESTDIR)$(MANDIR)/man7

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/reqprof $(DESTDIR)$(LIBDIR)/reqprof/libreqprof.so
	rm -f $(MAN1:man/%=$(DESTDIR)$(MANDIR)/man1/%) $(MAN5:man/%=$(DESTDIR)$(MANDIR)/man5/%) $(MAN7:man/%=$(DESTDIR)$(MANDIR)/man7/%)

clean:
	rm -rf $(B)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
