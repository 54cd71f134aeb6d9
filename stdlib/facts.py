"""Questions about the types of the running kernel, which the loader answers when it loads the program (CO-RE).

The same object runs on kernels that answer differently: the code behind `if exists(task.mm):` is left out by the
verifier where there is no such member.
"""

from __future__ import annotations

from pybpf.stdlib.builtins import Builtin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar, overload

    T = TypeVar("T")

    @overload
    def exists(what: Any, /) -> bool: ...
    @overload
    def exists(struct: type[Any], member: str, /) -> bool: ...
    def exists(*what: Any) -> bool:
        """Whether the running kernel has a member: `exists(task.mm)`, `exists(task_struct, "mm")`.

        The member is not read. Of a type, it is type_exists(); of an enumerator, enum_exists(). Of a kernel function,
        `exists(kfuncs.bpf_strlen)`: behind the test it may be called, whatever kernels the program is built for.
        """
        ...

    @overload
    def field_size(member: Any, /) -> int: ...
    @overload
    def field_size(struct: type[Any], member: str, /) -> int: ...
    def field_size(*what: Any) -> int:
        """Bytes that a member of a kernel struct takes in the running kernel; of a bit field, its unit."""
        ...

    @overload
    def field_signed(member: Any, /) -> bool: ...
    @overload
    def field_signed(struct: type[Any], member: str, /) -> bool: ...
    def field_signed(*what: Any) -> bool:
        """Whether a member of a kernel struct is a signed number in the running kernel."""
        ...

    def type_exists(kind: type[Any], /) -> bool:
        """Whether the running kernel has a struct, union or enumeration of that name."""
        ...

    def type_matches(kind: type[Any], /) -> bool:
        """Whether the running kernel's type of that name has all the members that this one has, of matching types."""
        ...

    def type_id_local(kind: type[Any], /) -> int:
        """The number of a type in the object's own BTF."""
        ...

    def type_id_target(kind: type[Any], /) -> int:
        """The number of a type in the running kernel's BTF, as helpers take it that print or compare by type."""
        ...

    def enum_exists(enumerator: int, /) -> bool:
        """Whether the running kernel has an enumerator: `enum_exists(bpf_map_type.BPF_MAP_TYPE_ARENA)`."""
        ...

    def enum_value(enumerator: int, /) -> int:
        """The value that an enumerator has in the running kernel."""
        ...

    def container_of(member: Any, struct: type[T], name: str, /) -> T:
        """The struct that holds a member, by a pointer to the member: `container_of(node, task_struct, "tasks")`."""
        ...


__all__ = [
    "container_of", "enum_exists", "enum_value", "exists", "field_signed", "field_size", "type_exists", "type_id_local",
    "type_id_target", "type_matches",
]  # fmt: skip

if not TYPE_CHECKING:

    def _builtin(name, doc):
        def python(*what):
            raise RuntimeError(f"{name}() works inside a BPF program only: load() or simulate() the program")

        return Builtin(name, python, doc)

    exists = _builtin("exists", "Whether the running kernel has a member, a type or an enumerator.")
    field_size = _builtin("field_size", "Bytes that a member takes in the running kernel.")
    field_signed = _builtin("field_signed", "Whether a member is signed in the running kernel.")
    type_exists = _builtin("type_exists", "Whether the running kernel has a type.")
    type_matches = _builtin("type_matches", "Whether the running kernel's type has the members of this one.")
    type_id_local = _builtin("type_id_local", "The number of a type in the object's own BTF.")
    type_id_target = _builtin("type_id_target", "The number of a type in the running kernel's BTF.")
    enum_exists = _builtin("enum_exists", "Whether the running kernel has an enumerator.")
    enum_value = _builtin("enum_value", "The value of an enumerator in the running kernel.")
    container_of = _builtin("container_of", "The struct that holds a member, by a pointer to the member.")
