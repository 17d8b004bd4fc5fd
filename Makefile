# ecmp: `make help` lists what can be made.
B := build
LUA := lua5.4

CC := gcc
CFLAGS := -O2 -g
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wformat=2 -Wnull-dereference -Werror
CPPFLAGS := -I/usr/include/lua5.4 -Icsrc
COMPILE = $(CC) -std=c11 $(WARN) $(CPPFLAGS) $(CFLAGS) -fPIC -pthread -MMD -MP

MODULES := rtnl sys ip
rtnl_SRC := $(sort $(wildcard csrc/rtnl_*.c)) csrc/netns.c
sys_SRC := $(sort $(wildcard csrc/sys*.c)) csrc/netns.c
ip_SRC := $(sort $(wildcard csrc/ip*.c))
rtnl_LIBS := -lmnl

# a module without sources yet is left out
PRESENT := $(foreach m,$(MODULES),$(if $(filter csrc/$(m)%,$($(m)_SRC)),$(m)))
C_MODULES := $(PRESENT:%=$(B)/lua/5.4/ecmp/%.so)
OBJECTS = $(patsubst csrc/%.c,$(B)/obj/%.o,$(1))

.PHONY: all spec env
all: $(C_MODULES)

define module
$(B)/lua/5.4/ecmp/$(1).so: $(call OBJECTS,$($(1)_SRC))
	@mkdir -p $$(@D)
	$(CC) -shared $(CFLAGS) -pthread -o $$@.new $$^ $($(1)_LIBS) && mv $$@.new $$@
endef
$(foreach m,$(PRESENT),$(eval $(call module,$(m))))

$(B)/obj/%.o: csrc/%.c
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<
-include $(wildcard $(B)/obj/*.d)

FILE ?= spec
spec: all
	$(LUA) /usr/bin/busted $(FILE)

env:
	@echo 'export LUA_PATH="$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;"'
	@echo 'export LUA_CPATH="$(CURDIR)/$(B)/lua/5.4/?.so;;"'
	@echo 'export PATH="$(CURDIR)/$(B)/bin:$$PATH"'
