"""Options and rules of the whole test suite.

`--update` rewrites golden texts instead of comparing with them (fixture `update`).

`--fuzz N` runs the property tests only, with N times their examples (`make fuzz`).

`--cpu v1` to `v4` and `--without-pass NAME` (`all`: without any) run the kernel tests only, with all that they compile
in their own process compiled so. What asserts on the code itself is marked `code_shape`, and is skipped.

`--no-unexplained-skips` (given in CI) fails the run when a test was skipped for a reason that is not in EXPLAINED: on
the machines CI has, everything else can run, so a skip there means that a tool or a privilege got lost unnoticed.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.terminal import TerminalReporter

# What a CI machine can't run, by the start of the skip's reason.
EXPLAINED = [
    re.compile(pattern)
    for pattern in (
        r"this kernel ",  # "this kernel refuses fentry": what the kernel was asked and said no to
        r"needs Python 3\.\d+",  # syntax or library that the running interpreter does not have
        r"no pylibbpf for ",  # interpreters that libbpf has no wheel for
        r"with --cpu v[12], ",  # instructions that the level has not
        r"with --cpu or --without-pass, ",  # the code is not the usual
    )
]
_NOT_BELOW_3 = {"E1306", "E1401"}  # instructions that come with ISA level 3


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite golden texts to what is produced now")
    parser.addoption("--fuzz", type=int, metavar="N", help="only property tests, with N times their examples")
    parser.addoption("--cpu", choices=("v1", "v2", "v3", "v4"), help="only kernel tests, compiled for that ISA level")
    parser.addoption(
        "--without-pass", metavar="NAME", help="only kernel tests, compiled without that optimisation, or `all` of them"
    )
    parser.addoption(
        "--no-unexplained-skips", action="store_true", help="fail if a test skips for a reason that CI does not know"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: "test_guests" not in item.nodeid)  # they take longest
    if config.getoption("--cpu") or config.getoption("--without-pass"):
        config.hook.pytest_deselected(items=[item for item in items if not item.get_closest_marker("kernel")])
        items[:] = [item for item in items if item.get_closest_marker("kernel")]
        for item in items:
            if mark := item.get_closest_marker("code_shape"):
                item.add_marker(pytest.mark.skip(reason=f"with --cpu or --without-pass, {mark.args[0]}"))
    times = config.getoption("--fuzz")
    if not times:
        return
    from hypothesis import Phase, settings

    kept: list[pytest.Item] = []
    for item in items:
        test: Any = getattr(item, "obj", None)
        if hasattr(test, "hypothesis"):
            given = test._hypothesis_internal_use_settings
            phases = [phase for phase in given.phases if phase is not Phase.explain]
            more = settings(given, max_examples=given.max_examples * times, deadline=None, phases=phases)
            test._hypothesis_internal_use_settings = more
            kept.append(item)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture(scope="session", autouse=True)
def checked_compilations(pytestconfig: pytest.Config) -> Iterator[None]:
    """Compilations in the tests check the IR after building it and after each pass, and the machine code of each
    function; they follow --cpu and --without-pass.

    Not so inside a VM, where everything is ten times slower and nothing is compiled that is not compiled outside.
    """
    if "VM_SHARED" in os.environ:
        yield
        return
    from pybpf import compiler
    from pybpf.compiler.codegen.checker import Checker
    from pybpf.compiler.ir.checker import check, check_function

    real = compiler.compile
    configured = _configured(pytestconfig.getoption("--cpu"), pytestconfig.getoption("--without-pass"))

    def checked(programs: Any, target: Any, observe: Any = None, **options: Any) -> Any:
        waiting: list[Checker] = []

        def see(stage: str, value: Any) -> None:
            if stage.startswith("ir:after-"):
                check_function(value)
            elif stage.startswith("ir"):
                check(value)
            elif stage == "selected":
                waiting[:] = [Checker(value)]
            elif stage == "code":
                waiting.pop()(value)
            if observe is not None:
                observe(stage, value)

        return configured(real, programs, target, observe=see, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiler, "compile", checked)
        yield


def _configured(cpu: str | None, without: str | None) -> Any:
    """What calls `compile` as the options of the run say."""
    from pybpf.compiler.diagnostics.base import CompileError
    from pybpf.compiler.optimisations import OPTIMISATIONS
    from pybpf.compiler.schema.record import replace
    from pybpf.compiler.schema.specs import LEVEL_SINCE

    known = (None, "all", *OPTIMISATIONS)
    assert without in known, f"there is no optimisation {without}: {', '.join(OPTIMISATIONS)}"
    left_out = OPTIMISATIONS if without == "all" else [without] if without else []
    level = int(cpu[1]) if cpu else 0

    def call(compile: Any, programs: Any, target: Any, skip: Any = (), **options: Any) -> Any:
        if LEVEL_SINCE.get(level, (99, 0)) <= target.kernel:
            target = replace(target, cpu=level)
        try:
            return compile(programs, target, skip=(*skip, *left_out), **options)
        except CompileError as error:
            codes = {each.code for each in error.diagnostics if each.severity == "error"}
            if level in (1, 2) and codes <= _NOT_BELOW_3:
                pytest.skip(f"with --cpu {cpu}, {error.diagnostics[0].texts()[0]}")
            raise

    return call


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    """True when golden texts are to be rewritten."""
    return bool(request.config.getoption("--update"))


def _unexplained(reporter: TerminalReporter) -> list[tuple[str, str]]:
    found = []
    for report in reporter.getreports("skipped"):
        reason = report.longrepr[2] if isinstance(report.longrepr, (tuple, list)) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if not any(pattern.match(reason) for pattern in EXPLAINED):
            found.append((report.nodeid, reason))
    return sorted(found)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if not session.config.getoption("--no-unexplained-skips"):
        return
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None and _unexplained(reporter) and session.exitstatus in (0, 5):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    if not config.getoption("--no-unexplained-skips"):
        return
    found = _unexplained(terminalreporter)
    if found:
        terminalreporter.section("skipped without an explanation", red=True, bold=True)
        for node, reason in found:
            terminalreporter.line(f"{node}: {reason}")
