# make demo    trace the file opens of this machine for some seconds
# make test    all tests, on every Python found; as root it installs the Debian packages that tests use
# make check   lint, types, unit and golden tests: about a minute
# make bench   measurements against clang
# make fuzz    random programs and random IR, longer than in the tests

PYTHON ?= python3
PYTEST = .venv/bin/python -m pytest
SECONDS ?= 8
# CI sets --no-unexplained-skips
SKIPS ?=
# Tests of tools that are the same on every Python run on one
ONE_PYTHON = tests/packaging tests/typing tests/notebook tests/loaders tests/examples

.PHONY: demo test check lint bench fuzz unit others runtime tools

demo: runtime
	@.venv/bin/python tools/demo.py --seconds $(SECONDS)

test: tools lint others
	$(PYTEST) -n 2 --dist loadgroup $(SKIPS)

check: tools lint unit

lint: tools
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/pyright

unit: tools
	$(PYTEST) -n 2 -q -m "not kernel and not slow" $(addprefix --ignore=,$(ONE_PYTHON))

others: tools
	@set -e; for python in $$($(PYTHON) tools/prepare.py other); do \
		echo "== $$($$python --version)"; \
		$$python -m pytest -q -m "not kernel and not slow" -p no:cacheprovider $(addprefix --ignore=,$(ONE_PYTHON)); \
	done

bench: tools
	.venv/bin/python benchmarks/startup.py

fuzz: tools
	$(PYTEST) -n 2 -q --hypothesis-profile=fuzz -m "not kernel" tests/ir tests/passes tests/codegen

runtime:
	@$(PYTHON) tools/prepare.py runtime

tools:
	@$(PYTHON) tools/prepare.py test
