# Two commands do everything on a fresh machine with Python >= 3.11 and make: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
JOBS ?= 2
# ALONE has one computing thread: two processes share the machine better than two threads share a small convolution;
# byte code is kept, or each process that a test starts would compile the package again
ALONE := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python
SHARED := -n $(JOBS) --dist worksteal
PYTEST := $(ALONE) -m pytest $(SHARED)
# tests that pass no wrong types on purpose, with every signature checked at run time, types and shapes
SHAPES := tests/nn/test_nn.py tests/networks/test_networks.py \
  $(filter-out tests/engine/test_integer_%,$(wildcard tests/engine/test_*.py))

NPM := $(shell command -v npm)

.PHONY: demo test lint types page shapes unit lowest-cpu long-tests test-proofs test-cpus test-slow fuzz smoke docs runtime release release-version paper public-types workflows npm publish-npm format clean help

help:
	@echo "make demo       train on real digits, evaluate, paint, and show it all on one page (under 5 minutes)"
	@echo "make test       lint, types, quick tests, the page in Chromium where there is one (under 5 minutes)"
	@echo "make docs       the documentation site, in docs/_build"
	@echo "make test-proofs  the slow tests that fail only for a reason: documents and long proofs, under 15 minutes"
	@echo "make long-tests  which tests take long: they run with the proofs"
	@echo "make test-slow  all tests, timings and fuzzing among them"
	@echo "make test-cpus  the numeric tests under several instruction sets of this processor"
	@echo "make fuzz       damaged files for every reader, for FUZZ_SECONDS (600) of computing"
	@echo "make smoke      lint, types and a few tests, for a second Python: PYTHON=python3.13 VENV=.venv-3.13"
	@echo "make runtime    the libraries in C that run integer programs, for every platform"
	@echo "make release    sdist and wheel in dist, checked, and the wheel tried with each Python here"
	@echo "make npm        the packages for JavaScript, in dist/npm"
	@echo "make paper      the figures of paper/paper.md"
	@echo "make public-types  the share of public names whose types are complete, by pyright"
	@echo "make workflows  the workflows of .github, by actionlint"
	@echo "make format     format the code"
	@echo "make clean      remove what these made"

demo: $(VENV)/.core
	$(BIN)/pointillist demo --out demo

# mypy has one process, and the tests leave a core now and then
test: lint
	@$(MAKE) --no-print-directory -j 3 types page shapes
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory lowest-cpu

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

# the scripts of the pages and of `runtime`, whose types are in comments; nothing of npm is needed to install or to run
page:
ifeq ($(NPM),)
	@echo "The types of the studio's page are not checked: npm is not here."
else
	npm ci --ignore-scripts --no-audit --no-fund --silent
	npm run --silent types
endif

shapes: $(VENV)/.dev
	$(PYTEST) -m "not slow" --jaxtyping-packages=pointillist,beartype.beartype $(SHAPES)

# all other tests: those of `shapes` run once, with their signatures checked
unit: $(VENV)/.dev
	@test -n "$(POINTILLIST_CHROMIUM)" || command -v chromium chromium-browser > /dev/null || \
	  echo "The tests of the studio's page are skipped: they need Chromium (apt-get install chromium)."
	$(PYTEST) -m "not slow" $(SHAPES:%=--ignore=%)

# numeric libraries round otherwise on another processor: under each set of instructions below those of this one
NUMERIC := tests/laws tests/engine tests/portable tests/analysis tests/anomaly tests/compression/test_golden.py \
  tests/conditioning/test_fixed_point.py tests/distributions tests/evaluation \
  tests/model/test_pixel_model.py tests/networks tests/nn/test_nn.py tests/runtime/test_library.py \
  tests/sampling/test_one_picture.py tests/sampling/test_sampling.py tests/zoo/test_golden_images.py
test-cpus: $(VENV)/.dev
	@$(BIN)/python tools/instruction_sets.py | while read -r cpu; do \
	  echo "$$cpu"; env $$cpu $(PYTEST) -m "not slow or long" $(NUMERIC) < /dev/null || exit 1; done

# the part of test-cpus that is part of test: a few files under the oldest set
LOWEST := tests/analysis/test_attribution.py tests/anomaly/test_statistics.py tests/distributions tests/evaluation \
  tests/laws/test_law_causal.py tests/laws/test_law_textbook.py tests/model/test_pixel_model.py tests/nn/test_nn.py \
  tests/portable/test_golden.py tests/sampling/test_sampling.py
lowest-cpu: $(VENV)/.dev
	env $$($(BIN)/python tools/instruction_sets.py --lowest) $(PYTEST) -m "not slow or long" $(LOWEST)

# which tests of `unit` take long, on an idle computer: they run with the proofs
long-tests: $(VENV)/.dev
	$(ALONE) tools/make_long_tests.py $(SHARED) $(SHAPES:%=--ignore=%)

# slow tests that fail only for a reason: no timings, nothing random without a seed
test-proofs: $(VENV)/.dev
	$(PYTEST) -m "slow and proof"

test-slow: $(VENV)/.dev
	POINTILLIST_EXAMPLES=50 POINTILLIST_REQUESTS=100 $(PYTEST)

# damaged and structured files for every reader, for so many seconds of computing: `make fuzz FUZZ_SECONDS=3600`
FUZZ_SECONDS ?= 600
fuzz: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.hostile.fuzz --seconds $(FUZZ_SECONDS)

# a second Python, in a virtual environment of its own: `make smoke PYTHON=python3.13 VENV=.venv-3.13`
smoke: lint types
	$(PYTEST) -m "not slow" tests/distributions/test_likelihoods.py tests/networks/test_networks.py \
	  tests/model/test_factory.py tests/model/test_pixel_model.py tests/sampling/test_sampling.py

# warnings are errors: a link or a name that leads nowhere among them; nothing is fetched
docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build

# the same bytes on every machine: clang of one release, as ziglang ships it
runtime: $(VENV)/.dev
	$(BIN)/pip install --quiet -e '.[runtime]'
	$(BIN)/python tools/make_runtime.py

# `pointillist` for JavaScript and a package of each bundled model, from the sources of the runtime
npm: $(VENV)/.core
	$(BIN)/python tools/make_npm.py

# by the workflow of the release alone
publish-npm: npm
	for file in dist/npm/*.tgz; do npm publish --access public "$$file" || exit 1; done

# the figures of the paper, by the bundled models
paper: $(VENV)/.core
	rm -f paper/rules.toml paper/three.png
	$(BIN)/pointillist sample icons --text "home; clock; camera; heart; shopping cart; umbrella" --label tabler,mdi --seed 1 --force --out paper/icons.png
	$(BIN)/pointillist example rules paper/rules.toml
	$(BIN)/pointillist sample dungeons -n 1 --size 28x64 --rules paper/rules.toml --seed 1 --force --out paper/dungeon.png
	$(BIN)/pointillist sample digits -n 1 --label 3 --seed 7 --force --out paper/three.png
	$(BIN)/pointillist inpaint digits paper/three.png --region 14:,: -n 8 --seed 1 --force --out paper/completions.png
	rm paper/rules.toml paper/three.png

# the tag that is about to be published, beside version, changelog and repository: `make release-version TAG=v0.1.0`
release-version: $(VENV)/.dev
	$(BIN)/python tools/check_tag.py $(TAG)

# which public names have complete types for a type checker that is not ours; the incomplete may only become fewer
public-types: $(VENV)/.dev
	$(BIN)/python tools/measure_public_types.py

workflows: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[workflows]'
	$(BIN)/actionlint

# sdist and wheel, checked by twine; the wheel is installed elsewhere and tried, with each Python of 3.11 to 3.14 that is here
release: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[release]'
	$(BIN)/python tools/make_release.py

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# the stamps make a second run start at once; a changed pyproject.toml installs again
$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[train]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[train,dev,data,tensorboard,studio,e2e]'
	@touch $@ $(VENV)/.core

$(VENV)/.docs: pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[train,docs]'
	@touch $@ $(VENV)/.core

clean:
	rm -rf $(VENV) demo dist build docs/_build node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis
