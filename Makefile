# ecmp. `make help` lists what can be made; nothing but `make deps` and `make install` needs root.
B := build
# objects, which several builds may share
OBJ = $(B)/obj
LUA := lua5.4
PREFIX := /usr/local
DESTDIR :=
# libmnl elsewhere than where the compiler looks, such as /opt/mnl
MNL_DIR :=
# `make STATIC=1`: an executable with nothing but the kernel underneath; with POOLS=1 pools on etcd
# are linked into it
STATIC :=
POOLS :=

# what is needed to build and test, and what to work on it
PACKAGES := gcc libc6-dev lua5.4 liblua5.4-dev libmnl-dev lua-cjson lua-cjson-dev lua-argparse \
	lua-readline lua-busted iproute2 netbase tmux
# what specs are skipped without
# what pools on etcd are built with, where they are to be had
POOL_PACKAGES := libnghttp2-dev libssl-dev
PEER_PACKAGES := containernetworking-plugins iptables nftables golang-go golang-github-appc-cni-dev \
	lua-luv lua-cqueues tmux zsh man-db debhelper lintian etcd-server etcd-client openssl strace
# a second kernel, for some machines only
UML_PACKAGES := user-mode-linux kmod
DEV_PACKAGES := lua-check clang clang-format clang-tidy cppcheck shellcheck lua-ldoc luarocks lua-yaml \
	squashfs-tools

CC := gcc
CFLAGS := -O2 -g
STRIP := -s
# against what an attacker makes of a mistake in C; `HARDEN=` leaves it out. Fortified functions want
# optimisation, and whoever packages may have chosen a level
comma := ,
MACHINE_TYPE := $(shell $(CC) -dumpmachine)
FORTIFY = $(if $(filter -O0,$(CFLAGS))$(findstring _FORTIFY_SOURCE,$(CFLAGS)),,\
	-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
HARDEN = -fstack-protector-strong -fstack-clash-protection $(FORTIFY) \
	$(if $(filter x86_64-% i%86-%,$(MACHINE_TYPE)),-fcf-protection) \
	$(if $(filter aarch64-%,$(MACHINE_TYPE)),-mbranch-protection=standard)
HARDEN_LINK = $(if $(strip $(HARDEN)),-Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now)
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wformat=2 -Wnull-dereference -Werror
CPPFLAGS := -I/usr/include/lua5.4 -Icsrc $(MNL_DIR:%=-I%/include)
MNL_LIB := $(MNL_DIR:%=-L%/lib -Wl,-rpath,%/lib) -lmnl
# no path of the machine goes into what is built: two clones give the same bytes
COMPILE = $(CC) -std=c11 $(WARN) $(CPPFLAGS) $(HARDEN) $(CFLAGS) -fPIC -pthread \
	-ffile-prefix-map=$(CURDIR)=. -MMD -MP

# `make V=1` shows the commands, `make -s` nothing
Q := $(if $(V),,@)
SILENT := $(findstring s,$(firstword -$(MAKEFLAGS)))
say = $(if $(V)$(SILENT),,@echo "  $(1)")

LUA_SOURCES := $(shell find lua -name '*.lua' | LC_ALL=C sort)
C_SOURCES := $(sort $(wildcard csrc/*/*.c csrc/*/*/*.c))
C_HEADERS := $(sort $(wildcard csrc/*/*.h csrc/*/*/*.h))
SCRIPTS := $(sort $(wildcard build-aux/*.sh)) $(filter-out %/control,$(wildcard debian/tests/*)) \
	$(wildcard deploy/*/*.sh) $(wildcard spec/client/*.sh) .ci/run

.PHONY: all lua-modules needs deps demo pool-demo shell test test-long uml-test peer-suites arm64 arm64-test spec lint lint-tools lint-lua lint-shell lint-rock \
	peers test-clients lint-c format docs bench asan soak mutants faults fuzz install dist \
	netconf manual compile-commands deb deb-test fresh-test rock rockspec env clean help
all: ## Builds everything into build/.

# --- C modules -----------------------------------------------------------------------------------

# each is what lies in its folder, and in common/; build-aux/rockspec.lua says the same
MODULES := rtnl sys ip sandbox/process
COMMON := $(sort $(wildcard csrc/common/*.c))
rtnl_SRC := $(sort $(wildcard csrc/rtnl/*.c csrc/rtnl/*/*.c)) $(COMMON)
sys_SRC := $(sort $(wildcard csrc/sys/*.c)) $(COMMON)
ip_SRC := $(sort $(wildcard csrc/ip/*.c)) $(COMMON)
sandbox/process_SRC := $(sort $(wildcard csrc/sandbox/*.c)) $(COMMON)
rtnl_LIBS := $(MNL_LIB)
sys_LIBS := -lm

OBJECTS = $(patsubst csrc/%.c,$(OBJ)/%.o,$(1))
C_MODULES := $(MODULES:%=$(B)/lua/5.4/ecmp/%.so)
lua-modules: $(C_MODULES)

# pools on etcd: a module beside the others, built where there is what it stands on
pool_SRC := $(sort $(wildcard csrc/pool/*.c))
pool_LIBS := -lnghttp2 -lssl -lcrypto
HAVE_POOLS := $(shell printf '%s\n' '\#include <nghttp2/nghttp2.h>' '\#include <openssl/ssl.h>' | \
	$(CC) $(CPPFLAGS) -E - >/dev/null 2>&1 && echo yes)
POOL_MODULE := $(if $(HAVE_POOLS),$(B)/lua/5.4/ecmp_pool.so)
lua-modules: $(POOL_MODULE)

# it stays in memory once it is there: a thread that resolves a name may outlive its last user
$(B)/lua/5.4/ecmp_pool.so: $(call OBJECTS,$(pool_SRC))
	@mkdir -p $(@D)
	$(call say,LINK  $@)
	$(Q)$(CC) -shared $(HARDEN_LINK) $(CFLAGS) -pthread -Wl,-z,nodelete -o $@.new $^ $(pool_LIBS) && \
		mv $@.new $@

# a module is moved into place whole: somebody may be running the old one
define module
$(B)/lua/5.4/ecmp/$(1).so: $(call OBJECTS,$($(1)_SRC))
	@mkdir -p $$(@D)
	$$(call say,LINK  $$@)
	$(Q)$(CC) -shared $(HARDEN_LINK) $(CFLAGS) -pthread -o $$@.new $$^ $($(1)_LIBS) && mv $$@.new $$@
endef
$(foreach m,$(MODULES),$(eval $(call module,$(m))))

$(OBJ)/%.o: csrc/%.c $(OBJ)/how
	@mkdir -p $(@D)
	$(call say,CC    $@)
	$(Q)$(COMPILE) -c -o $@ $< || { rm -f $@; false; }
-include $(wildcard $(OBJ)/*.d $(OBJ)/*/*.d $(OBJ)/*/*/*.d)

# --- the executable and its plugin links ---------------------------------------------------------

PLUGINS := ecmp ecmp-ptp ecmp-bridge ecmp-macvlan ecmp-ipvlan ecmp-loopback ecmp-static \
	ecmp-host-local ecmp-pool ecmp-lua
LINKS := $(PLUGINS:%=$(B)/cni/%)
ARGPARSE := $(firstword $(wildcard $(LUA_SHARE:%=%/argparse.lua) /usr/share/lua/5.4/argparse.lua))
MODULE_NAME = $(subst /,.,$(patsubst %/init,%,$(patsubst lua/%.lua,%,$(1))))
EMBEDDED := argparse=$(ARGPARSE) $(foreach f,$(LUA_SOURCES),$(call MODULE_NAME,$(f))=$(f))
# what every start runs through, and what some of them do: the kernel maps what lies around a page
# that is touched, so these lie apart
START := $(call OBJECTS,csrc/exe/main.c csrc/exe/allocator.c)
LATER := $(call OBJECTS,$(sort csrc/exe/libmnl_subset.c $(foreach m,$(MODULES),$($(m)_SRC))))
LUA_LIB := -l:liblua5.4.a
CJSON_LIB := -l:liblua5.4-cjson.a

# Lua's API is exported, so that C modules which lie on the machine (lua-readline) can be loaded;
# a static executable can load none
ifdef STATIC
LATER += $(OBJ)/exe/dl.o
ifdef POOLS
LATER += $(call OBJECTS,csrc/exe/getaddrinfo.c $(pool_SRC))
STATIC_POOLS := -Wl,--wrap=getaddrinfo,--wrap=freeaddrinfo,--wrap=gethostbyname $(pool_LIBS)
endif
LINKED := $(if $(HARDEN_LINK),-static-pie -Wl$(comma)-z$(comma)pack-relative-relocs,-static -no-pie) \
	-Wl,-z,noseparate-code -Wl,--wrap=dlopen,--wrap=dlerror -Wl,-T,build-aux/static.ld
LUA_LINKED := $(LUA_LIB) -lc
else
LATER += $(OBJ)/exe/libm.o
LINKED := -Wl,--as-needed -Wl,--wrap=dlopen -Wl,-z,pack-relative-relocs -Wl,--dynamic-list=build-aux/exported.list
LUA_LINKED := -Wl,--whole-archive $(LUA_LIB) -Wl,--no-whole-archive
endif
LINKED += $(HARDEN_LINK) $(START) $(LUA_LINKED) $(LATER) $(CJSON_LIB) $(OBJ)/embedded.o \
	$(STATIC_POOLS) $(if $(STATIC),-lm)

all: lua-modules $(B)/bin/ecmp $(LINKS)

# what is built: of a checkout git says it, of `make dist` a file that git filled in
COMMIT = $(shell if [ -e .git ]; then \
	git --no-optional-locks describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null; \
	else sed '/Format/d' build-aux/commit; fi)

# made anew when a source is added or taken away, too, and with other flags
$(OBJ)/embedded.list: TEXT = $(EMBEDDED)
$(OBJ)/how: TEXT = $(subst $(CURDIR),.,$(COMPILE))
$(OBJ)/commit: TEXT = $(COMMIT)
$(B)/link/how: TEXT = $(LINKED)
$(OBJ)/embedded.list $(OBJ)/how $(OBJ)/commit $(B)/link/how: FORCE
	@mkdir -p $(@D)
	@echo '$(TEXT)' | cmp -s - $@ || echo '$(TEXT)' >$@
FORCE:

$(OBJ)/embedded.c: build-aux/embed.lua build-aux/bytecode.lua $(OBJ)/embedded.list $(OBJ)/commit \
		$(ARGPARSE) $(LUA_SOURCES)
	$(call say,EMBED $@)
	$(Q)$(LUA) build-aux/embed.lua $@ $(OBJ)/embedded.list $(OBJ)/commit

$(OBJ)/embedded.o: $(OBJ)/embedded.c csrc/exe/embed.h $(OBJ)/how
	$(call say,CC    $@)
	$(Q)$(COMPILE) -c -o $@ $<

# it comes into place whole, and only when the bytecode in it is what the sources say
$(B)/bin/ecmp: $(START) $(LATER) $(OBJ)/embedded.o $(OBJ)/embedded.list $(B)/link/how \
		build-aux/exported.list build-aux/static.ld build-aux/verify.lua
	@mkdir -p $(@D)
	$(call say,LINK  $@)
	$(Q)$(CC) $(CFLAGS) $(STRIP) -pthread -o $(B)/link/ecmp $(LINKED)
	$(Q)ASAN_OPTIONS=detect_leaks=0 $(EMULATOR) $(B)/link/ecmp run build-aux/verify.lua $(OBJ)/embedded.list
	$(Q)mv $(B)/link/ecmp $@

$(LINKS): | $(B)/bin/ecmp
	@mkdir -p $(@D)
	$(Q)ln -sf ../bin/ecmp $@

# --- what people do ------------------------------------------------------------------------------

needs:
	@sh build-aux/deps.sh $(PACKAGES)

deps: ## Installs the Debian packages that are missing; the only step that needs root.
	@sh build-aux/deps.sh $(PACKAGES) $(DEV_PACKAGES)

demo: needs ## Shows the main job on a real config, in a scratch namespace.
	@$(MAKE) --no-print-directory -s all
	@sh build-aux/sandbox.sh $(B)/bin/ecmp run examples/demo.lua

pool-demo: needs ## Shows a pool of a cluster: three members of etcd, four nodes, sixty pods at once.
	@sh build-aux/deps.sh $(POOL_PACKAGES) etcd-server openssl
	@$(MAKE) --no-print-directory -s all
	@sh build-aux/sandbox.sh $(B)/bin/ecmp run examples/pool-demo.lua

# for make itself, should somebody call it there, it is a beginning anew
shell: needs ## Opens a shell in a scratch network, with this checkout's `ecmp` at hand.
	@$(MAKE) --no-print-directory -s all
	@sh build-aux/sandbox.sh \
		echo "A network of its own: nothing done here reaches the machine's, and it ends with this shell."
	@eval "$$($(MAKE) --no-print-directory -s env)" && \
		env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL sh build-aux/sandbox.sh "$${SHELL:-sh}" || true

test: needs ## Runs all specs; the last line is "N passed, N failed".
	@$(MAKE) --no-print-directory -s all
	@ECMP_BUILD=$(B) LUA=$(LUA) RESULTS=$(B)/results/machine sh build-aux/test.sh

# what repeats itself does so ROUNDS times as often as in `make test`; BUDGET=seconds in all
LONG := 10
test-long: needs ## Runs all specs with LONG=10 times the repetitions.
	@$(MAKE) --no-print-directory -s all
	@ECMP_BUILD=$(B) LUA=$(LUA) ROUNDS=$(LONG) LIMIT=$(or $(LIMIT),1200) RESULTS=$(B)/results/long \
		sh build-aux/test.sh

# another kernel, on which the specs run that this machine's has no part of, and those of the core but
# for two that want seg6, which it lacks
UML_CORE := $(filter-out %/fib_json_routes_spec.lua %/fib_random_spec.lua,$(foreach name,nl_* fib_* \
	plan_* flow_* rtnl_* \
	$(addprefix plugin_,bridge_* ipvlan loopback macvlan masquerade ptp static) differential peer_suites, \
	$(wildcard spec/$(name)_spec.lua)))
uml-test: needs ## Runs what this machine's kernel lacks, and the core, on user-mode-linux; adds both up.
	@sh build-aux/deps.sh $(UML_PACKAGES)
	@$(MAKE) --no-print-directory -s all
	@[ -e $(B)/results/machine ] || $(MAKE) --no-print-directory -s test || true
	@ECMP_BUILD=$(B) LUA=$(LUA) KERNEL=uml RESULTS=$(B)/results/uml LIMIT=$(or $(LIMIT),900) sh build-aux/test.sh \
		$$($(LUA) build-aux/count.lua --lacking $(B)/results/machine) $(UML_CORE) || true
	@echo "On both kernels:"
	@$(LUA) build-aux/count.lua $(B)/results/machine $(B)/results/uml

peer-suites: needs ## Runs what the suites of iproute2, pyroute2 and vishvananda/netlink ask, by ip and by us.
	@$(MAKE) --no-print-directory -s all
	@ECMP_BUILD=$(B) LUA=$(LUA) sh build-aux/test.sh spec/peer_suites_spec.lua

# for another processor: what is promised of encodings, addresses, JSON, rules and CNI
ARM64 := $(abspath $(B))/arm64
ARM64_SPECS := $(foreach name,ip json rtnl_golden rtnl_words rtnl_error rtnl_extack schema_fields schema group \
	rule_merge fib_route cni_request cni_result cni_route cni_version netfilter_sha512 errors undo \
	health_decisions,spec/$(name)_spec.lua)
ARM64_LIBS := $(ARM64)/root/usr/lib/aarch64-linux-gnu
arm64: needs ## Builds for arm64 below build/arm64, with a cross compiler and Debian's libraries.
	@sh build-aux/deps.sh crossbuild-essential-arm64 qemu-user-static
	@mkdir -p $(ARM64) && sh build-aux/arm64.sh libraries $(ARM64)
	@$(MAKE) --no-print-directory -s all B=$(B)/arm64/build OBJ=$(B)/arm64/build/obj \
		CC="aarch64-linux-gnu-gcc -L$(ARM64_LIBS) -Wl,-rpath-link,$(ARM64_LIBS)" \
		CPPFLAGS="-Icsrc $(patsubst %,-isystem $(ARM64)/root/usr/include/%,lua5.4 . aarch64-linux-gnu)" \
		EMULATOR="qemu-aarch64-static -L $(ARM64)/root"
# those that need no kernel of their own: a program in the emulator has this machine's, without seccomp
arm64-test: arm64 ## Runs the specs that ask nothing of a kernel on the build for arm64, in an emulator.
	@ECMP_BUILD=$(B)/arm64/build ECMP_NETNS=no LUA=lua5.4 \
		sh build-aux/arm64.sh run $(ARM64) sh build-aux/test.sh $(ARM64_SPECS)

FILE := spec
RUN_FILE = ECMP_BUILD=$(B) LUA=$(LUA) sh build-aux/test.sh $(FILE)
# removes the modules of which an object is missing, as one is that does not compile, or newer
STALE = $(foreach m,$(MODULES),for object in $(call OBJECTS,$($(m)_SRC)); do \
		[ -e $$object ] && ! [ $$object -nt $(B)/lua/5.4/ecmp/$(m).so ] || \
			{ rm -f $(B)/lua/5.4/ecmp/$(m).so; break; }; done;)
# when a part does not compile, the specs of the others run, but never on an old build of that part
spec: ## Runs the specs of FILE=spec/NAME_spec.lua; fails when the code does not compile.
	@$(MAKE) --no-print-directory -k -s all || { \
		rm -f $(B)/bin/ecmp; $(STALE) \
		$(RUN_FILE); \
		echo "The code does not compile, see above; specs ran without:" \
			$$(for built in $(C_MODULES) $(B)/bin/ecmp; do [ -e $$built ] || echo $$built; done) >&2; \
		exit 1; }
	@$(RUN_FILE)

# libcni is the library of the real runtimes; Debian packages its source
peers: ## Installs what specs compare with or try where it is: stock plugins, libcni, etcd.
	@sh build-aux/deps.sh $(PEER_PACKAGES) $(POOL_PACKAGES)
	@sh build-aux/deps.sh $(UML_PACKAGES) || echo "Without them there is no make uml-test."
	@mkdir -p $(B)
	cd spec/client && GO111MODULE=off GOPATH=/usr/share/gocode CGO_ENABLED=0 \
		go build -trimpath -o $(CURDIR)/$(B)/client .

test-clients: needs peers ## Runs our plugins under libcni, and under podman.
	@sh build-aux/deps.sh podman crun conmon busybox-static
	@$(MAKE) --no-print-directory -s all
	@ECMP_BUILD=$(B) LUA=$(LUA) sh build-aux/test.sh spec/clients_spec.lua
	@ECMP_BUILD=$(B) LUA=$(LUA) sh build-aux/test.sh spec/podman_spec.lua

lint: lint-tools lint-lua lint-shell lint-rock lint-c ## Checks Lua, C, shell and the rockspec.
lint-tools:
	@sh build-aux/deps.sh $(PACKAGES) $(DEV_PACKAGES)
# not `.`: below build/ there may be a whole machine
lint-lua:
	luacheck -q .busted .luacheckrc $(wildcard *.rockspec) $(filter-out build/ dist/,$(wildcard */))
lint-shell:
	shellcheck $(SCRIPTS)
lint-rock:
	$(LUA) build-aux/rockspec.lua --check
	luarocks --lua-version=5.4 lint ecmp-scm-1.rockspec
# the compiler's own warnings are errors in every build
lint-c: all
	cppcheck -q --std=c11 --enable=warning,performance,portability --error-exitcode=1 \
		--inline-suppr $(CPPFLAGS) csrc
	clang-format --dry-run -Werror $(C_SOURCES) $(C_HEADERS)
	printf '%s\n' $(if $(HAVE_POOLS),$(C_SOURCES),$(filter-out csrc/pool/%,$(C_SOURCES))) | xargs -n 1 -P 2 sh -c \
		'clang-tidy --quiet "$$1" -- -std=c11 $(CPPFLAGS) 2>/dev/null' tidy

format: ## Lays out the C sources.
	clang-format -i $(C_SOURCES) $(C_HEADERS)

docs: lint-tools ## Makes the API reference, build/docs/index.html.
	@rm -rf $(B)/docs $(B)/reference && mkdir -p $(B)/reference
	$(LUA) build-aux/reference.lua $(B)/reference
	@ldoc -q --fatalwarnings --testing -d $(abspath $(B))/docs $(B)/reference >/dev/null
	@find $(B)/docs -name '*.html' -exec sed -i 's/&amp;#45;/-/g; s/&#45;/-/g' {} +
	@echo $(B)/docs/index.html

api: ## Brings docs/api.md up to date with the comments of the sources.
	@$(LUA) build-aux/reference.lua --markdown >docs/api.md

transcripts: all ## Runs the experiments, and brings docs/experiments with its pictures up to date.
	@sh build-aux/sandbox.sh $(B)/bin/ecmp run build-aux/transcripts.lua

# one source: the checks that the code itself uses. A spec fails when the files are out of date
netconf: lua-modules ## Brings the reference of the network configuration in docs/ up to date.
	@LUA_PATH="lua/?.lua;lua/?/init.lua;;" LUA_CPATH="$(B)/lua/5.4/?.so;;" sh -c '\
		$(LUA) build-aux/netconf.lua schema >$(B)/netconf.json && \
		$(LUA) build-aux/netconf.lua md >$(B)/netconf.md' && \
		cp $(B)/netconf.json docs/netconf.schema.json && cp $(B)/netconf.md docs/netconf.md

# N routes, ROUNDS interleaved rounds, ONLY=core|sets|apply|growth|plan|start|plugins, PEERS=no, QUICK=1,
# CLOCK=cpu processor time instead of the wall clock, for a machine that is shared
N :=
ROUNDS ?=
ONLY :=
PEERS :=
CLOCK :=
QUICK :=
bench: all ## Measures, and prints ratios to the peers that are installed.
	@$(MAKE) --no-print-directory -s STATIC=1 B=$(B)/static OBJ=$(OBJ) all
	@$(MAKE) --no-print-directory -s HARDEN= B=$(B)/unhardened all
	@$(MAKE) --no-print-directory -s HARDEN= STATIC=1 B=$(B)/unhardened/static OBJ=$(B)/unhardened/obj all
	@$(MAKE) --no-print-directory -s -C bench B=$(abspath $(B))/bench
	@LUA_PATH="lua/?.lua;lua/?/init.lua;;" LUA_CPATH="$(B)/lua/5.4/?.so;;" ECMP_BENCH=$(B)/bench ECMP_CLOCK=$(CLOCK) \
		sh build-aux/sandbox.sh $(LUA) bench/run.lua \
		n=$(N) rounds=$(ROUNDS) only=$(ONLY) peers=$(PEERS) quick=$(QUICK)

SANITIZE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
asan: needs ## Runs all specs under the address and undefined-behaviour sanitizers.
	@$(MAKE) --no-print-directory -s all B=build/asan HARDEN= STRIP= CFLAGS="$(SANITIZE)"
	@ECMP_BUILD=build/asan LUA=$(LUA) \
		ASAN_OPTIONS=detect_leaks=0:alloc_dealloc_mismatch=0:suppressions=$(CURDIR)/build-aux/asan.supp \
		LD_PRELOAD="$$($(CC) -print-file-name=libasan.so)" LIMIT=3600 sh build-aux/test.sh

# the specs that draw what they do, or count what is lost
SOAKED := $(foreach name,differential fib kill leaks nl_churn plan_match plugin_host-local rtnl_memory,\
	spec/$(name)_spec.lua)
soak: needs ## Repeats 20 times as often, or ROUNDS: random configurations, kills, plans, what may lose bytes.
	@$(MAKE) --no-print-directory -s all
	@ECMP_BUILD=$(B) LUA=$(LUA) ROUNDS=$(or $(ROUNDS),20) LIMIT=0 sh build-aux/test.sh $(SOAKED)

# SAMPLE=N changes every N-th place alone
MODULE :=
mutants: lua-modules ## Changes the pure modules (MODULE="group rule/merge") and names what no spec notices.
	@rm -rf $(B)/mutants && mkdir -p $(B)/mutants
	@$(LUA) build-aux/mutants.lua make $(B)/mutants $(MODULE)
	@find $(B)/mutants -mindepth 1 -maxdepth 1 | LC_ALL=C sort | \
		ECMP_BUILD=$(B) LUA=$(LUA) xargs -P "$${JOBS:-$$(nproc)}" -n 1 $(LUA) build-aux/mutants.lua try
	@$(LUA) build-aux/mutants.lua sum $(B)/mutants

faults: needs ## Lets each call to the kernel of plugins and commands fail, and be the last.
	@$(MAKE) --no-print-directory -s all
	@ECMP_BUILD=$(B) LUA=$(LUA) ROUNDS=100000 LIMIT=0 sh build-aux/test.sh $(wildcard spec/faults_*_spec.lua)

# every fuzz/NAME.c is a libFuzzer entry point and names, on a line `MODULE: ...`, the module it calls
FUZZ_SECONDS := 10
FUZZERS := $(filter-out $(if $(HAVE_POOLS),,pool),$(patsubst fuzz/%.c,%,$(sort $(wildcard fuzz/*.c))))
fuzz: $(FUZZERS:%=fuzz-%) ## Feeds the parsers with rubbish, FUZZ_SECONDS each.
FUZZED = $(shell sed -n 's/.*MODULE: *//p' $(1))
fuzz-%: fuzz/%.c
	@mkdir -p $(B)/fuzz/corpus-$* fuzz/corpus/$*
	clang -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined $(CPPFLAGS) \
		-o $(B)/fuzz/$* $< $($(call FUZZED,$<)_SRC) -llua5.4 $($(call FUZZED,$<)_LIBS)
	$(B)/fuzz/$* -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(B)/fuzz/ \
		$(patsubst %,-dict=%,$(wildcard fuzz/$*.dict)) $(B)/fuzz/corpus-$* fuzz/corpus/$*

# what the commands say of themselves; a spec fails when the files are out of date
manual: all ## Brings man/ and completion/ up to date.
	@$(B)/bin/ecmp run build-aux/manual.lua

# editors and clang tools want to know how each file is compiled
compile-commands: ## Writes compile_commands.json for editors.
	@for file in $(C_SOURCES); do \
		printf '{"directory":"%s","file":"%s","command":"%s"}\n' "$(CURDIR)" $$file \
			"$(CC) -std=c11 $(WARN) $(CPPFLAGS) $(CFLAGS) -c $$file"; \
	done | sed '1s/^/[/; $$!s/$$/,/; $$s/$$/]/' >compile_commands.json

install: all ## Installs below PREFIX (/usr/local) and DESTDIR.
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/cni
	install -m 755 $(B)/bin/ecmp $(DESTDIR)$(PREFIX)/bin/ecmp
	for section in 1 5 8; do \
		install -d $(DESTDIR)$(PREFIX)/share/man/man$$section && install -m 644 \
			man/*.$$section $(DESTDIR)$(PREFIX)/share/man/man$$section || exit 1; \
	done
	install -D -m 644 completion/ecmp.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/ecmp
	install -D -m 644 completion/_ecmp $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_ecmp
	for module in $(MODULES); do \
		install -D -m 644 $(B)/lua/5.4/ecmp/$$module.so \
			$(DESTDIR)$(PREFIX)/lib/lua/5.4/ecmp/$$module.so || exit 1; \
	done
	$(if $(POOL_MODULE),install -m 644 $(POOL_MODULE) $(DESTDIR)$(PREFIX)/lib/lua/5.4)
	for file in $(LUA_SOURCES:lua/%=%); do \
		install -D -m 644 lua/$$file $(DESTDIR)$(PREFIX)/share/lua/5.4/$$file || exit 1; \
	done
	for name in $(PLUGINS); do \
		ln -sf ../../bin/ecmp $(DESTDIR)$(PREFIX)/lib/cni/$$name || exit 1; \
	done

dist: ## Packs the committed sources, dist/ecmp-scm.tar.gz.
	@mkdir -p dist
	git -c tar.umask=022 archive --format=tar --prefix=ecmp-scm/ HEAD | gzip -9n >dist/ecmp-scm.tar.gz

# built from the committed and changed files in a copy, so that nothing is left behind in debian/
VERSION := $(shell sed -n 's/^return "\(.*\)"/\1/p' lua/ecmp/version.lua)
DEB_PACKAGES := debhelper lintian
deb: ## Builds the Debian packages lua-ecmp and ecmp below build/deb, and runs lintian on them.
	@sh build-aux/deps.sh $(PACKAGES) $(DEB_PACKAGES)
	rm -rf $(B)/deb && mkdir -p $(B)/deb/ecmp-$(VERSION)
	{ git ls-files -z 2>/dev/null || find . \( -name build -o -name dist \) -prune -o -type f -print0; } | \
		tar -cf - --null -T - | tar -xf - -C $(B)/deb/ecmp-$(VERSION)
	echo '$(COMMIT)' >$(B)/deb/ecmp-$(VERSION)/build-aux/commit
	cd $(B)/deb/ecmp-$(VERSION) && dpkg-buildpackage -us -uc -b
	lintian --allow-root --fail-on error,warning $(B)/deb/*.changes

# what is promised for other machines, tried on a fresh one below build/machine
MACHINE = sh build-aux/deps.sh debootstrap git $(1) && mkdir -p $(B)/machine && \
	sh build-aux/machine.sh $(abspath $(B))/machine
deb-test: deb ## Installs, tests and purges the packages on a fresh Debian; needs root.
	@$(call MACHINE,autopkgtest) packages $(B)/deb $(B)/deb/ecmp-$(VERSION)

fresh-test: ## Gives README's two commands, in a clone of what is committed, on a fresh Debian; needs root.
	@$(call MACHINE) readme .

# Debian's packages are no rocks: LuaRocks is told that they are there. It builds beside the sources,
# hence in a copy. `luarocks test` runs `make test`:
#   LUAROCKS_CONFIG=build/rock/config.lua luarocks --lua-version=5.4 test ecmp-scm-1.rockspec
ROCK := $(abspath $(B))/rock
LUAROCKS = cd $(ROCK)/source && LUAROCKS_CONFIG=$(ROCK)/config.lua luarocks --lua-version=5.4 \
	--tree=$(ROCK)/tree
rock: rockspec ## Builds the rock below build/rock with luarocks make, and packs it.
	@sh build-aux/deps.sh $(PACKAGES) luarocks
	rm -rf $(ROCK) && mkdir -p $(ROCK)/source
	cp -r bin csrc lua Makefile ecmp-scm-1.rockspec LICENSE CHANGELOG.md $(wildcard README.md docs) \
		$(ROCK)/source
	@printf '%s\n' 'rocks_provided = { lua = "5.4-1", ["lua-cjson"] = "2.1.0-1",' \
		'  argparse = "0.7.1-1", busted = "2.1.1-1" }' >$(ROCK)/config.lua
	$(LUAROCKS) make ecmp-scm-1.rockspec $(MNL_DIR:%=MNL_DIR=%) $(if $(ROCK_CFLAGS),CFLAGS="$(ROCK_CFLAGS)")
	$(LUAROCKS) pack ecmp && mv $(ROCK)/source/*.rock $(ROCK)

rockspec: ## Brings the module lists of the rockspec up to date.
	@$(LUA) build-aux/rockspec.lua >$(B)/rockspec && cp $(B)/rockspec ecmp-scm-1.rockspec

env: ## For eval "$(make -s env)": this checkout's Lua modules and command.
	@echo 'export LUA_PATH="$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;"'
	@echo 'export LUA_CPATH="$(CURDIR)/$(B)/lua/5.4/?.so;;"'
	@echo 'export PATH="$(CURDIR)/$(B)/bin:$$PATH"'

clean: ## Removes what was built.
	rm -rf build dist

help: ## Lists these targets.
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | sort | expand -t 18
	@echo
	@printf '%s\t%s\n' V=1 'shows the commands' B=DIR 'builds into DIR instead of build' \
		STATIC=1 'links an executable with nothing but the kernel underneath' \
		HARDEN= 'leaves out what hardens the C code' \
		'STATIC=1 POOLS=1' 'the same with pools on etcd in it' \
		MNL_DIR=DIR 'takes libmnl from DIR/include and DIR/lib' \
		'PREFIX= DESTDIR=' 'where install puts things' | expand -t 18
