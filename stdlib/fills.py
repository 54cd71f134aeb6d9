"""Functions whose text or bytes a helper fills in where the result is wanted, without a copy: `comm()`, `user_str(p)`.

`user_str(p)` takes its size from the field or variable that it is stored to.
"""

from __future__ import annotations

from pybpf.compiler.schema.specs import FillSpec
from pybpf.compiler.schema.types import U64, TextType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from pybpf.compiler.schema.types import Type
    from pybpf.stdlib.kernel.classes import KernelStruct
    from pybpf.stdlib.types import Array, Bytes, Text

    # A number, a pointer, or what lies in the kernel's memory: a text, an array, a struct.
    Address: TypeAlias = "int | KernelStruct | Text[Any] | Bytes[Any] | Array[Any, Any]"

    def comm() -> Text[Any]:
        """Name of the current task, at most 15 bytes."""
        ...

    def user_str(address: Address, /) -> Text[Any]:
        """The string at a user-space address, cut to the size of where it is kept; empty if it can't be read."""
        ...

    def kernel_str(address: Address, /) -> Text[Any]:
        """The string at a kernel address, cut to the size of where it is kept; empty if it can't be read."""
        ...

    def user_bytes(address: Address, /) -> Bytes[Any]:
        """The bytes at a user-space address, as many as where they are kept; all zero if they can't be read."""
        ...

    def kernel_stack() -> Array[int, Any]:
        """The kernel's stack at the event, addresses from the innermost frame on; zeroes behind the last. Linux 4.18.

        It is kept in an `Array[u64, L[n]]`: of at most n frames. Names are `KernelSymbols().find(address)`.
        """
        ...

    def user_stack() -> Array[int, Any]:
        """The process's stack at the event, as kernel_stack()."""
        ...

    def d_path(path: object, /) -> Text[Any]:
        """The full path of a `path`, such as `file.f_path`, as the current process sees it.

        Of one that is longer than where it is kept, its end. The kernel lets few programs ask: @fentry and @fexit of
        vfs_truncate, vfs_fallocate, vfs_getattr, dentry_open and filp_close; @lsm; iterators. Linux 5.10.
        """
        ...

    def kernel_bytes(address: Address, /) -> Bytes[Any]:
        """The bytes at a kernel address, as many as where they are kept; all zero if they can't be read."""
        ...


__all__ = ["Fill", "comm", "kernel_bytes", "kernel_stack", "kernel_str", "user_bytes", "user_stack", "user_str"]


# Such a function. Its FillSpec is made when the compiler first asks. (No docstring: `__doc__` is the function's own.)
class Fill:
    __slots__ = ("__doc__", "__name__", "_call", "_default", "_element", "_helper", "_params", "_spec")

    def __init__(
        self,
        name: str,
        helper: str,
        call: tuple[str | int, ...],
        params: tuple[str, ...],
        doc: str,
        default: Type | None = None,
        element: Type | None = None,
    ) -> None:
        self.__name__ = name
        self.__doc__ = doc
        self._helper, self._call, self._params, self._default = helper, call, params, default
        self._element = element
        self._spec: FillSpec | None = None

    @property
    def __bpf__(self) -> FillSpec:
        if self._spec is None:
            from pybpf.stdlib.helpers import spec_of

            helper = spec_of(self._helper)
            assert helper is not None, self._helper
            self._spec = FillSpec(self.__name__, helper, self._call, self._params, self._default, self._element)
        return self._spec

    def __call__(self, *args: Any) -> Any:
        from pybpf.stdlib.simulation import current

        if len(args) != len(self._params):
            raise TypeError(f"{self.__name__}() takes {len(self._params)} arguments, not {len(args)}")
        return current(f"{self.__name__}()").fill(self.__bpf__, args)

    def __repr__(self) -> str:
        return f"<pybpf function {self.__name__}>"


if not TYPE_CHECKING:
    comm = Fill("comm", "bpf_get_current_comm", ("dest", "size"), (), "Name of the current task.", TextType(16))
    user_str = Fill(
        "user_str", "bpf_probe_read_user_str", ("dest", "size", 0), ("address",), "The string at a user-space address."
    )
    kernel_str = Fill(
        "kernel_str", "bpf_probe_read_kernel_str", ("dest", "size", 0), ("address",), "The string at a kernel address."
    )
    user_bytes = Fill(
        "user_bytes", "bpf_probe_read_user", ("dest", "size", 0), ("address",), "The bytes at a user-space address."
    )
    kernel_stack = Fill(
        "kernel_stack", "bpf_get_stack", (0, "dest", "size", "=0"), (), "The kernel's stack at the event.", None, U64
    )
    user_stack = Fill(
        "user_stack", "bpf_get_stack", (0, "dest", "size", "=256"), (), "The process's stack at the event.", None, U64
    )
    d_path = Fill("d_path", "bpf_d_path", (0, "dest", "size"), ("path",), "The full path of a `path` member.")
    kernel_bytes = Fill(
        "kernel_bytes", "bpf_probe_read_kernel", ("dest", "size", 0), ("address",), "The bytes at a kernel address."
    )
