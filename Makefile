# make demo    trace the file opens of this machine for some seconds
# make test    all tests, on every Python found; as root it installs the Debian packages that tests use
# make check   lint, types, unit and golden tests: about a minute
# make support what tests show of the kernels: writes docs/support.md
# make bench   measurements against clang, bpftrace and bcc, as tables
# make fuzz    random programs and random IR, longer than in the tests

PYTHON ?= python3
PYTEST = .venv/bin/python -m pytest
SECONDS ?= 8
# How many times longer than in the tests `make fuzz` works
FUZZ ?= 5
# CI sets --no-unexplained-skips
SKIPS ?=
# Tests of tools that are the same on every Python run on one
ONE_PYTHON = tests/packaging tests/typing tests/notebook tests/loaders tests/examples

# Tests that say what they saw of the kernel, and the plugin that makes docs/support.md of it
PROVING = tests/hooks tests/maps tests/helpers tests/vm/test_guests.py
SUPPORT = -p tests.support.plugin

# Tests that load what the compiler makes of programs: run again at other ISA levels, and without optimisations
OF_CODE = $(addprefix tests/,programs hooks maps helpers stdlib simulator tools examples) \
	tests/runtime/test_kernel_types.py tests/runtime/test_shared_values.py tests/acceptance/test_wrong_programs.py
PASSES = $$(.venv/bin/python -c "from pybpf.compiler.optimisations import OPTIMISATIONS; print(*OPTIMISATIONS)")

.PHONY: demo test check lint support bench fuzz unit others runtime tools

demo: runtime
	@.venv/bin/python tools/demo.py --seconds $(SECONDS)

test: tools lint others
	$(PYTEST) $(SUPPORT) -n 2 --dist loadgroup $(SKIPS)
	@set -e; for options in "--cpu v1" "--cpu v3" "--without-pass all"; do echo "== kernel tests, $$options"; \
		$(PYTEST) -n 2 --dist loadgroup -q $(SKIPS) $$options $(OF_CODE); done

support: tools
	$(PYTEST) $(SUPPORT) -n 2 --dist loadgroup -q --update $(PROVING)

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
	.venv/bin/python benchmarks/scaling.py
	.venv/bin/python benchmarks/first_event.py
	.venv/bin/python benchmarks/kernel_types.py
	.venv/bin/python benchmarks/quality.py
	.venv/bin/python benchmarks/passes.py
	.venv/bin/python benchmarks/ring_buffer.py

fuzz: tools
	$(PYTEST) -n 2 -q --fuzz $(FUZZ)
	.venv/bin/python -m tests.differential.run --first $$(date +%s)000 --count $$((2000 * $(FUZZ))) --jobs 2
	.venv/bin/python -m tests.differential.run --turns --first $$(date +%s)500 --count $$((2000 * $(FUZZ))) --jobs 2
	PYBPF_EVERY_PASS=1 $(PYTEST) -n 2 -q tests/acceptance/test_every_pass.py
	@set -e; for name in $(PASSES); do echo "== kernel tests without $$name"; \
		$(PYTEST) -n 2 --dist loadgroup -q --without-pass $$name $(OF_CODE); done
	PYBPF_ROUNDS=10000 $(PYTEST) -q tests/runtime/test_leaks.py

runtime:
	@$(PYTHON) tools/prepare.py runtime

tools:
	@$(PYTHON) tools/prepare.py test
