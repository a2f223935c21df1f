# SPDX-License-Identifier: MIT
# The front door. CMake does the work; everything is built under build/.
BUILD ?= build
PREFIX ?= /usr/local
TIMES ?= 10
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

CONFIGURE = cmake -S . -B $(BUILD) -Wno-dev --log-level=NOTICE
MAKE_ALL = cmake --build $(BUILD) -j $(JOBS) --
QUIET = $(if $(VERBOSE),,--no-print-directory -s)
# All of it on one line of output unless something fails.
quietly = @printf '%s\n' '$(1)' && { $(2); } >$(BUILD)/$(3).log 2>&1 || \
	{ cat $(BUILD)/$(3).log; exit 1; }

.DEFAULT_GOAL = help
.PHONY: help tour test bench stress python docs install clean build test-build

help:
	@echo 'make tour      build what is missing and watch the first programs run (two minutes)'
	@echo 'make test      build everything and run all tests'
	@echo 'make stress    run the stress tests TIMES=10 times each, with their seeds shown'
	@echo 'make bench     measure thrum beside its peers: one table, and build/bench.json'
	@echo 'make python    build the Python extension in place, into python/thrum (PYTHON=python3.13)'
	@echo 'make docs      write the man pages to build/man'
	@echo 'make install   PREFIX=/usr/local DESTDIR=: libraries, headers, thrum.pc, CMake, man pages'
	@echo 'make clean     remove build/'
	@echo 'What is missing (gcc, cmake, ...) is fetched by apt where that is possible.'

tour:
	@sh tools/need.sh gcc libc6-dev cmake
	@sh tools/need.sh python3 python3-dev || true
	@mkdir -p $(BUILD)
	$(call quietly,Building thrum and the programs of the tour,\
		{ test -f $(BUILD)/Makefile || $(CONFIGURE) -DTHRUM_TESTS=OFF; } && \
		$(MAKE_ALL) $(QUIET) tour_programs,tour-build)
	@sh tools/tour.sh $(BUILD)

test-build:
	@sh tools/need.sh gcc g++ libc6-dev cmake python3 pkg-config libcmocka-dev spin
	@sh tools/need.sh python3-twisted || true
	@sh tools/need.sh mypy || true
	@sh tools/need.sh python3-dev python3-setuptools python3-wheel libpython3.11-testsuite || echo 'thrum: the Python half is tested as far as it goes'
	@mkdir -p $(BUILD)
	$(CONFIGURE) -DTHRUM_TESTS=ON -DTHRUM_EXAMPLES=ON
	$(MAKE_ALL) $(QUIET)

# One test at a time, but for those of one thread: most are themselves several threads, and say so.
test: test-build
	@cd $(BUILD) && ctest -j2 --output-on-failure --no-label-summary

stress: test-build
	@cd $(BUILD) && THRUM_STRESS_KILLS=1000 ctest -L stress --verbose --no-label-summary --repeat until-fail:$(TIMES)

bench:
	@sh tools/need.sh gcc g++ libc6-dev cmake pkg-config
	@mkdir -p $(BUILD)
	@test -f $(BUILD)/Makefile || $(CONFIGURE) -DTHRUM_TESTS=OFF
	$(MAKE_ALL) $(QUIET)
	@sh bench/run.sh $(BUILD)

build:
	@sh tools/need.sh gcc libc6-dev cmake python3
	@mkdir -p $(BUILD)
	@test -f $(BUILD)/Makefile || $(CONFIGURE) -DTHRUM_TESTS=OFF
	$(MAKE_ALL) $(QUIET)

python:
	@sh tools/need.sh gcc libc6-dev cmake python3 python3-dev
	@mkdir -p $(BUILD)
	@test -f $(BUILD)/Makefile || $(CONFIGURE) -DTHRUM_TESTS=OFF
	$(if $(PYTHON),$(CONFIGURE) -DTHRUM_PYTHON_HOST=$(PYTHON))
	$(MAKE_ALL) $(QUIET) python

docs:
	@sh tools/need.sh gcc libc6-dev cmake python3
	@mkdir -p $(BUILD)
	@test -f $(BUILD)/Makefile || $(CONFIGURE) -DTHRUM_TESTS=OFF
	$(MAKE_ALL) $(QUIET) docs
	@echo 'man -M $(BUILD)/man thrum_lock_acquire'

install: build
	@$(CONFIGURE) -DCMAKE_INSTALL_PREFIX=$(abspath $(PREFIX))
	cmake --install $(BUILD)

clean:
	cmake -E rm -rf $(BUILD)
