# The verbs of this checkout. CI calls the same ones.
#
#   make setup      installs what the verbs need: .venv, .rlib, Debian packages; quick when nothing is missing
#   make demo       trains, kills and resumes, to show rekindle on real data; writes into build/demo; sets up only
#                   R, Keras and JAX
#   make test       test-python (store once; fit() on jax, torch and tensorflow, and of tf_keras and Synalinks) and
#                   test-r; sets up everything
#   make setup-synalinks   .venv-synalinks, which needs Python 3.12 or newer; test-synalinks, its tests, skips without
#   make coverage   which lines the tests reach, in Python and in R; fails below the floors. Not part of CI
#   make test-r-current   test-r on current reticulate, keras3 and keras, with numpy 2. Not part of CI
#   make lint       ruff, mypy, import rules, lintr, spelling, shell scripts, sizes, whether help pages are up to date
#   make check      R CMD build and R CMD check --as-cran, with Python and without
#   make document   writes NAMESPACE and man/ from the comments in R/
#   make exact      kills and resumes runs, and makes the table: data, backends and tf_keras, save frequencies;
#                   EXACT_ARGS=scripts: scripts as users write them
#   make compat     makes a part of that table on older versions of Keras
#   make faults     thousands of crashes, power cuts and damages       make bench   python/benchmarks
#   make build-python                       wheel and sdist, into dist
#   make site       builds the R package's web site with pkgdown and Python's reference with pdoc, into build/site
#   make release-check   checks what must hold before a version is tagged
#   make pins       writes tools/constraints-*.txt anew, from what pip resolves today; prints what changed
#   make fresh      runs demo and test on a bare Debian 12 and 13, each made by debootstrap; needs root
#   make readme-check   runs the code of README and articles as pasted; README_CHECK_ARGS=FILE: of one file. Not part of CI
#   make clean      removes what the verbs made, but keeps what set-up made

SHELL := /bin/bash
.DEFAULT_GOAL := help
BACKENDS := jax torch tensorflow
export VENV ?= .venv
export VENV_SYNALINKS ?= .venv-synalinks
# For a test of R, where reticulate can load it.
export REKINDLE_PYTHON_SYNALINKS ?= $(abspath $(VENV_SYNALINKS))/bin/python
RSCRIPT := Rscript --no-init-file
PYTHON_OF_PINS ?= python3.11

export R_LIBS := $(CURDIR)/.rlib$(if $(R_LIBS),:$(R_LIBS))
export RETICULATE_PYTHON := $(abspath $(VENV))/bin/python
# Python finds rekindle in this tree. R must not: R must find the copy that the R package brings.
unexport PYTHONPATH
PYTHON_HERE := PYTHONPATH=$(CURDIR)/inst/python $(VENV)/bin
# If no language is set, R and Python accept only ASCII in file names.
export LANG ?= C.UTF-8
# Silence the libraries' own start-up messages, which hide the output of the verbs.
export TF_CPP_MIN_LOG_LEVEL ?= 3
export TF_ENABLE_ONEDNN_OPTS ?= 0
export JAX_PLATFORMS ?= cpu

.PHONY: help setup setup-demo install demo test test-python test-python-store $(BACKENDS:%=test-python-%) \
	test-python-tf_keras setup-synalinks test-synalinks test-r test-r-current coverage coverage-python coverage-r lint lint-python lint-r lint-shell lint-words lint-sizes \
	check document site bench faults exact compat pins build-python fresh release-check readme-check clean

help:
	@sed -n 's/^#   //p' Makefile

setup:
	@tools/setup

setup-synalinks:
	@tools/setup-synalinks

setup-demo:
	@tools/setup demo

# Installs rekindle itself into the private library, and again when a source changed.
R_SOURCES := $(shell find DESCRIPTION NAMESPACE R man inst -type f -not -path '*/__pycache__/*' 2>/dev/null)
install: setup-demo .rlib/rekindle/DESCRIPTION
.rlib/rekindle/DESCRIPTION: $(R_SOURCES) | setup-demo
	@echo "[install] rekindle into .rlib"
	@# An interrupted installation leaves its lock behind.
	@rm -rf .rlib/rekindle .rlib/00LOCK*
	@R CMD INSTALL --no-byte-compile --library=.rlib . >.rlib/rekindle.log 2>&1 || { cat .rlib/rekindle.log; exit 1; }

demo: install
	@$(RSCRIPT) tools/demo/demo.R

test: test-python test-r

test-python: test-python-store $(BACKENDS:%=test-python-%) test-python-tf_keras test-synalinks

# No room below the adapter of Keras depends on a backend: their tests run fit() on one backend. Some tests fork, so
# their process must not have the threads of the frameworks. Others need every framework in one process.
ROOMS := base format storage repository policy saving training inspection supervisor cli r faults
ROOMS_WITH_EVERY_FRAMEWORK := codec manager
# Apart from the tests that fork: the library for object stores has threads.
ROOM_WITH_THREADS := objects
TESTS_OF = $(addprefix python/tests/,$(1))
ROOMS_THERE := $(sort $(notdir $(patsubst %/,%,$(dir $(wildcard python/tests/*/test_*.py)))))

# A folder that is in no list would never be run.
test-python-store: setup
	@[ "$(ROOMS_THERE)" = "$(sort $(ROOMS) $(ROOMS_WITH_EVERY_FRAMEWORK) $(ROOM_WITH_THREADS) keras synalinks tf_keras)" ] || \
	  { echo "ROOMS in the Makefile lists other folders than python/tests has: $(ROOMS_THERE)"; exit 1; }
	KERAS_BACKEND=jax $(PYTHON_HERE)/pytest $(call TESTS_OF,$(ROOMS)) $(PYTEST_ARGS)
	KERAS_BACKEND=jax $(PYTHON_HERE)/pytest $(call TESTS_OF,$(ROOMS_WITH_EVERY_FRAMEWORK)) $(PYTEST_ARGS)
	$(PYTHON_HERE)/pytest $(call TESTS_OF,$(ROOM_WITH_THREADS)) $(PYTEST_ARGS)

$(BACKENDS:%=test-python-%): test-python-%: setup
	KERAS_BACKEND=$* $(PYTHON_HERE)/pytest $(call TESTS_OF,keras) $(PYTEST_ARGS)

# Counts lines and branches of Python, also in the fresh processes of the tests, and lines of R. The floor of Python is in
# pyproject.toml. The faults are left out: they change nothing, and their processes are killed.
R_COVERAGE_FLOOR := 90
COVERED := $(CURDIR)/build/coverage
coverage: coverage-python coverage-r

coverage-python: export COVERAGE_FILE := $(COVERED)/python
coverage-python: setup
	rm -rf $(COVERED) && mkdir -p $(COVERED)
	KERAS_BACKEND=jax $(PYTHON_HERE)/coverage run -m pytest $(call TESTS_OF,$(filter-out faults,$(ROOMS))) $(PYTEST_ARGS)
	KERAS_BACKEND=jax $(PYTHON_HERE)/coverage run -m pytest $(call TESTS_OF,$(ROOMS_WITH_EVERY_FRAMEWORK)) $(PYTEST_ARGS)
	$(PYTHON_HERE)/coverage run -m pytest $(call TESTS_OF,$(ROOM_WITH_THREADS)) $(PYTEST_ARGS)
	KERAS_BACKEND=jax $(PYTHON_HERE)/coverage run -m pytest $(call TESTS_OF,keras) $(PYTEST_ARGS)
	$(VENV)/bin/coverage combine --quiet
	$(VENV)/bin/coverage report

coverage-r: setup
	KERAS_BACKEND=jax $(RSCRIPT) tools/coverage.R $(R_COVERAGE_FLOOR)

# Keras 2, which has no backends.
test-python-tf_keras: setup
	$(PYTHON_HERE)/pytest $(call TESTS_OF,tf_keras) $(PYTEST_ARGS)

# In an environment of its own: Synalinks needs a newer Python than R may have, and no framework.
test-synalinks: setup-synalinks
	@if [ -e $(VENV_SYNALINKS)/rekindle-setup ]; then \
	  PYTHONPATH=$(CURDIR)/inst/python $(VENV_SYNALINKS)/bin/python -m pytest $(call TESTS_OF,synalinks) $(PYTEST_ARGS); \
	else \
	  echo "SKIPPED: the tests of Synalinks, as there is no $(VENV_SYNALINKS); see make setup-synalinks"; \
	fi

test-r: setup install
	KERAS_BACKEND=$${KERAS_BACKEND:-jax} $(RSCRIPT) tools/test-r.R

# On packages that Debian 12 lacks or has in older versions. It calls test-r with another library and environment.
test-r-current:
	@tools/r-current

lint: lint-python lint-r lint-shell lint-words lint-sizes

lint-python: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(PYTHON_HERE)/lint-imports --no-cache --no-logo

lint-r: setup install
	$(RSCRIPT) tools/lint-r.R

lint-shell: setup
	bash -n tools/setup tools/setup-synalinks tools/check tools/fresh tools/r-current tools/release-check tools/lint-words .ci/run
	shellcheck tools/setup tools/setup-synalinks tools/check tools/fresh tools/r-current tools/release-check tools/lint-words .ci/run inst/templates/slurm.sh

lint-words:
	@tools/lint-words

lint-sizes: setup
	@$(VENV)/bin/python tools/lint-sizes.py

check: setup
	tools/check

document: setup
	$(RSCRIPT) -e 'roxygen2::roxygenise(load_code = "source")'

site: setup install
	$(RSCRIPT) tools/site.R
	KERAS_BACKEND=jax $(PYTHON_HERE)/pdoc --docformat google --no-show-source -o build/site/python \
	  rekindle rekindle.keras rekindle.tf_keras rekindle.inspection rekindle.errors

bench: setup
	$(PYTHON_HERE)/python python/benchmarks/run.py $(BENCH_ARGS)

faults: setup $(if $(filter synalinks,$(firstword $(FAULTS_ARGS))),setup-synalinks)
	$(PYTHON_HERE)/python python/faults/run.py $(FAULTS_ARGS)

exact: setup $(if $(filter synalinks,$(firstword $(EXACT_ARGS))),setup-synalinks)
	$(PYTHON_HERE)/python python/exact/run.py $(EXACT_ARGS)

compat: setup
	$(PYTHON_HERE)/python python/compat/run.py $(COMPAT_ARGS)

# The oldest Python that set-up takes resolves the pins, so that every Python can install them.
pins:
	@$(PYTHON_OF_PINS) tools/pins.py $(PINS_ARGS)

build-python: setup
	rm -rf dist
	$(VENV)/bin/python -m build --no-isolation --outdir dist .

fresh:
	@tools/fresh

release-check: setup
	@tools/release-check

# R and keras3 of `make test-r-current`, if R_LIBS and VENV name them.
readme-check: setup install
	@$(VENV)/bin/python tools/readme-check.py $(README_CHECK_ARGS)

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.Rcheck rekindle_*.tar.gz
	find inst python -name __pycache__ -type d -prune -exec rm -rf {} +
