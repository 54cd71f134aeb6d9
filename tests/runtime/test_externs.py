"""Values of the kernel that it does not have: the error shows the line that uses them."""

from __future__ import annotations

import pytest

from pybpf import LoadError, TracepointContext, kconfig, ksym, load, tracepoint, u32, var

pytestmark = pytest.mark.kernel

wrong_option = kconfig(u32, "CONFIG_NO_SUCH_OPTION")
absent_option = kconfig(u32, "CONFIG_NO_SUCH_OPTION_EITHER", weak=True)
wrong_symbol = ksym("no_such_symbol_of_the_kernel")
total = var(u32, 0)


@tracepoint("syscalls:sys_enter_getppid")
def configured(ctx: TracepointContext) -> None:
    global total
    total = wrong_option + absent_option


@tracepoint("syscalls:sys_enter_getppid")
def addressed(ctx: TracepointContext) -> None:
    global total
    total = u32(wrong_symbol)


def test_an_option_that_is_not_set() -> None:
    with pytest.raises(LoadError) as caught:
        load(configured)
    assert caught.value.extern == "CONFIG_NO_SUCH_OPTION"
    message = str(caught.value)
    assert message.startswith("the configuration of this kernel does not set CONFIG_NO_SUCH_OPTION\n")
    assert "test_externs.py:20:13" in message and "total = wrong_option + absent_option" in message
    assert "help: where it may be absent, declare it kconfig(..., weak=True)" in message


def test_a_symbol_that_there_is_not() -> None:
    with pytest.raises(LoadError) as caught:
        load(addressed)
    message = str(caught.value)
    assert message.startswith("this kernel has no no_such_symbol_of_the_kernel\n")
    assert "test_externs.py:26:" in message and "declare it ksym(..., weak=True)" in message
