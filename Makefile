# Everything runs in .venv, which the targets make and extend themselves.
#   make test ARGS="-k fbank"      ARGS goes to the program behind the target

PYTHON_PACKAGES := python3-venv
DEMO_PACKAGES := $(PYTHON_PACKAGES) libportaudio2
TEST_PACKAGES := $(DEMO_PACKAGES) libasound2-plugins pulseaudio pulseaudio-utils \
	gcc libc6-dev libasound2-dev mosquitto mosquitto-clients ffmpeg systemd-container strace faketime \
	apparmor lintian \
	chromium python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good
CHECK_PACKAGES := $(PYTHON_PACKAGES) shellcheck
SCRIPTS := $(shell grep -lsE '^\#!/bin/(ba)?sh' scripts/* .ci/* packaging/* packaging/*/*)
DOCKERFILES := $(wildcard packaging/*/Dockerfile packaging/*/*/Dockerfile)
BENCHMARKS := engines stream latency scale archive labels footprint front_end web
CACHES := .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test bench check format constraints deb release clean \
	python-packages demo-packages test-packages check-packages release-packages

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 22

demo: demo-packages .venv/.demo ## play a recording through detector and broker, and show the events
	@.venv/bin/ast-edge run --config configs/demo.yaml $(ARGS)

test: test-packages .venv/.dev ## run all tests
	@# One thread each: else a sum is rounded by the number of cores. Two files at a time: most wait.
	@OMP_NUM_THREADS=1 .venv/bin/pytest $(or $(ARGS),-n 2 --dist loadfile)

bench: test-packages .venv/.dev ## measure (ARGS="scale latency": only these) and write docs/performance.md and cost.md
	@for name in $(or $(ARGS),$(BENCHMARKS)); do \
		echo "bench: $$name" >&2; .venv/bin/python benchmarks/$$name.py || exit; \
	done
	@.venv/bin/python benchmarks/report.py

check: check-packages .venv/.dev ## check style, types, imports, scripts and YAML
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/mypy --python-version 3.13
	.venv/bin/lint-imports
	.venv/bin/yamllint --strict .
	@if command -v shellcheck >/dev/null; then set -x; shellcheck $(SCRIPTS); else \
		echo "check: shellcheck is not installed, the scripts were not checked" >&2; fi
	@# Its wheel is for x86-64 alone.
	@if command -v .venv/bin/hadolint >/dev/null; then set -x; .venv/bin/hadolint $(DOCKERFILES); else \
		echo "check: hadolint is not installed, the Dockerfiles were not checked" >&2; fi

format: python-packages .venv/.dev ## format the code and fix what can be fixed
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

constraints: python-packages .venv/.dev ## pin new dependencies (ARGS=--upgrade: the newest of all)
	.venv/bin/uv pip compile --quiet --universal --python-version 3.10 --all-extras --group dev --group release \
		--annotation-style line --custom-compile-command "make constraints" \
		--output-file constraints.txt $(ARGS) pyproject.toml

deb: python-packages .venv/.release ## build the Debian package of this release and architecture
	@packaging/debian/build $(ARGS)

release: release-packages .venv/.release ## VERSION=1.2.3: check the tree, build all that is handed out
	@packaging/release "$(VERSION)"

clean: ## remove the environment and all caches
	rm -rf .venv $(CACHES)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.demo: pyproject.toml constraints.txt
	@scripts/venv demo
	@touch $@

.venv/.dev: pyproject.toml constraints.txt
	@scripts/venv dev
	@touch $@ .venv/.demo

.venv/.release: pyproject.toml constraints.txt
	@scripts/venv release
	@touch $@

python-packages:
	@scripts/debian $(PYTHON_PACKAGES)

demo-packages:
	@scripts/debian $(DEMO_PACKAGES)

test-packages:
	@scripts/debian $(TEST_PACKAGES)

check-packages:
	@scripts/debian $(CHECK_PACKAGES)

release-packages:
	@scripts/debian $(PYTHON_PACKAGES) lintian
