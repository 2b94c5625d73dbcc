# One command for each thing there is to do here; `make help` lists them.
VERSION := $(shell cat VERSION)
MAJOR   := $(firstword $(subst ., ,$(VERSION)))
PREFIX  ?= /usr/local
LIBDIR  ?= lib

LIBRARY := libdafl.so.$(VERSION)
SONAME  := libdafl.so.$(MAJOR)

# These flags stay out of Package.swift, where they break `swift test` and the sanitizers, and the library has a build
# folder of its own, so that the two do not rebuild each other. nodelete: threads of the library may outlive a dlclose.
LIBRARY_FLAGS := -c release --product dafl --scratch-path .build-lib -Xswiftc -static-stdlib \
    -Xlinker --version-script=dafl.map -Xlinker -soname=$(SONAME) \
    -Xlinker -z -Xlinker defs -Xlinker -z -Xlinker now -Xlinker -z -Xlinker nodelete

# $(call describe,LIBDIR,FOLDER) writes what build systems read to a folder of libraries. @UP@ leads from it to its prefix.
empty :=
describe = for file in pkgconfig/dafl.pc cmake/dafl/dafl-config.cmake cmake/dafl/dafl-config-version.cmake; do \
    sed 's/@VERSION@/$(VERSION)/; s/@MAJOR@/$(MAJOR)/; s|@UP@|$(subst $(empty) ,/,$(patsubst %,..,$(subst /, ,$(1))))|' \
        packaging/$$(basename $$file).in > $(2)/$$file || exit 1; done

# How Python finds what was built here.
WITH_LIBRARY := PYTHONPATH=python-bindings DAFL_LIBRARY=$(CURDIR)/build/lib/libdafl.so

.PHONY: help setup lib header install wheel deb docs test sanitize fuzz demo bench bench-kernels report compression scale clean

help: ## Lists these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

setup: ## Gets what the build and the tests need: Debian packages, and Python packages into .venv
	@scripts/setup

lib: ## Builds the shared library, its header, pkg-config file and CMake package into build/
	swift build $(LIBRARY_FLAGS)
	@mkdir -p build/lib/pkgconfig build/lib/cmake/dafl build/include
	cp .build-lib/release/libdafl.so build/lib/$(LIBRARY).new
	mv build/lib/$(LIBRARY).new build/lib/$(LIBRARY)
	ln -sf $(LIBRARY) build/lib/$(SONAME)
	ln -sf $(SONAME) build/lib/libdafl.so
	cp include/dafl.h include/dafl.hpp build/include/
	$(call describe,lib,build/lib)

header: ## Writes include/dafl.h anew from the Swift declarations
	scripts/generate-header

# Does not build: it is often run by root, who has no Swift on the path.
install: LIBRARIES = $(DESTDIR)$(PREFIX)/$(LIBDIR)
install: ## Copies what `make lib` built to PREFIX (/usr/local) and its LIBDIR (lib), below DESTDIR if that is set
	@test -e build/lib/$(LIBRARY) || { echo "nothing is built yet: run 'make lib' first" >&2; exit 1; }
	install -d $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/share/man/man3
	install -d $(LIBRARIES)/pkgconfig $(LIBRARIES)/cmake/dafl
	install -m 644 build/include/dafl.h build/include/dafl.hpp $(DESTDIR)$(PREFIX)/include/
	install -m 755 build/lib/$(LIBRARY) $(LIBRARIES)/
	cp -P build/lib/$(SONAME) build/lib/libdafl.so $(LIBRARIES)/
	$(call describe,$(LIBDIR),$(LIBRARIES))
	install -m 644 packaging/dafl.3 $(DESTDIR)$(PREFIX)/share/man/man3/

wheel: ## Builds a self-contained Python wheel into build/wheel, and tests it where nothing else is installed
	$(MAKE) setup
	$(MAKE) lib
	scripts/wheel
	scripts/check-wheel

deb: ## Builds Debian packages into build/deb, and tests them on a bare Debian
	scripts/setup debootstrap dpkg-dev lintian patchelf
	$(MAKE) lib
	scripts/deb
	scripts/check-deb

docs: ## Runs the tutorial and writes the Python package's reference into build/docs
	$(MAKE) setup
	$(MAKE) lib
	scripts/docs

# In this order even under -j: a stale header is a clearer message than the compile error that it would cause.
test: ## Checks everything: the header, Swift, C, C++, what is installed, the ABI, Python, the documents' code
	$(MAKE) setup
	scripts/generate-header --check
	$(MAKE) lib
	swift test
	Tests/C/run
	Tests/Cpp/run
	Tests/Install/run
	Tests/Abi/run
	$(WITH_LIBRARY) .venv/bin/python -m pytest -rs python-bindings
	$(WITH_LIBRARY) .venv/bin/python scripts/run-documents docs/recipes.md docs/comparison.md docs/networks.md docs/compression.md docs/eight-bits.md

sanitize: ## Runs the tests of Swift and C under the sanitizers, with each instruction set, in an hour or more
	$(MAKE) setup
	scripts/sanitize

# `make fuzz SECONDS=3600 CALLS=1000000` is the long form.
SECONDS ?= 120
CALLS   ?= 20000
fuzz: ## Fuzzes files, texts and calls: for SECONDS (120) in all, and CALLS (20000) calls, with the address sanitizer and without
	$(MAKE) setup
	$(MAKE) lib
	SECONDS_OF_FUZZING=$(SECONDS) CALLS=$(CALLS) Tests/Fuzz/run

demo: ## Distils a small student of a teacher in front of you
	$(MAKE) setup
	$(MAKE) lib
	$(WITH_LIBRARY) .venv/bin/python examples/python/demo.py

bench: ## Measures libdafl beside PyTorch and ONNX Runtime; CHECK=1 holds the ratios against their thresholds
	$(MAKE) setup
	.venv/bin/pip install -q --disable-pip-version-check torch==2.13.0 onnx onnxruntime
	$(MAKE) lib
	$(WITH_LIBRARY) .venv/bin/python benchmarks/run.py $(if $(CHECK),--check) $(CASES)

bench-kernels: ## Measures the kernels alone, beside the processor's peak
	scripts/bench-kernels

# DATA is a folder with mnist/ and usps/, their gzipped IDX files in each; the quick form needs none.
DATA ?= data
report: ## Reruns the paper's table and more into docs/report, in hours; ROWS=--resume goes on, QUICK=1 takes minutes
	$(MAKE) setup
	.venv/bin/pip install -q --disable-pip-version-check matplotlib
	$(MAKE) lib
	$(WITH_LIBRARY) .venv/bin/python benchmarks/report/run.py --data $(DATA) $(if $(QUICK),--quick) $(ROWS)

compression: ## Measures the ways to make networks smaller into docs/compression, in an hour or so; ROWS="svd merging" for some
	$(MAKE) setup
	$(MAKE) lib
	$(WITH_LIBRARY) .venv/bin/python benchmarks/compression.py --data $(DATA) $(ROWS)

scale: ## Measures what threads and ranks give, in half an hour; needs mpirun and mpi4py
	$(MAKE) setup
	$(MAKE) lib
	$(WITH_LIBRARY) .venv/bin/python benchmarks/scale.py --data $(DATA) $(if $(SECONDS),--seconds $(SECONDS))

clean: ## Removes all that was built, and .venv
	rm -rf .build .build-lib build .venv
