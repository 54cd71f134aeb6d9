"""Objects that live longer than a run of a program: kernel objects that maps keep, and those that programs allocate.

    class Slot(Struct):                           class Job(Struct):
        task: Kptr[task_struct] = Kptr()              due: u64
                                                      node: RbNode = RbNode()

                                                  class Jobs(Struct):
                                                      lock: SpinLock = SpinLock()
                                                      queue: RbRoot[Job] = RbRoot()

    old = slot.task.exchange(task)                job = obj_new(Job, due=ktime())
    if old is not None:                           if job is not None:
        kfuncs.bpf_task_release(old)                  with lock(jobs):
                                                          jobs.queue.add(job, earlier)

The kernel finds them by type tags ("kptr"), by the names of their types (bpf_list_head, bpf_rb_root, ...) and by
declaration tags ("contains:Job:node") in the map's BTF: btf_parse_fields() in kernel/bpf/btf.c.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.specs import ObjectSpec
from pybpf.compiler.schema.types import Kept, StructType, opaque_in
from pybpf.stdlib.kfuncs import release_for, spec_of
from pybpf.stdlib.opaque import check_bits
from pybpf.stdlib.sync import Opaque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Generic, ParamSpec, TypeVar

    T = TypeVar("T")
    P = ParamSpec("P")

    class Kptr(Generic[T]):
        """A field of a map's value that keeps an object, of the kernel or one of `obj_new()`, or None."""

        def __init__(self) -> None: ...
        def exchange(self, new: T | None, /) -> T | None:
            """Keep `new`, which the program holds, and hold what was kept before."""
            ...

        def get(self) -> T | None:
            """What is kept, to look at for now: in a program that may sleep, in an RCU section."""
            ...

    class UntrustedKptr(Generic[T]):
        """A field of a map's value that remembers an object of the kernel, or None, without holding it."""

        def __init__(self) -> None: ...
        def set(self, new: T | None, /) -> None:
            """Remember an object that the program sees now."""

        def get(self) -> T | None:
            """The object, which may be gone: what can't be read then is zero."""
            ...

    class ListNode:
        """A field of a Struct by which `obj_new()`'s objects hang in a list."""

        def __init__(self) -> None: ...

    class RbNode:
        """A field of a Struct by which `obj_new()`'s objects hang in a tree."""

        def __init__(self) -> None: ...

    class RefCount:
        """A field of a Struct whose objects may be held, and be in a list and a tree, several times."""

        def __init__(self) -> None: ...

    class ListHead(Generic[T]):
        """A field of a map's value: a list of objects. What is in it may be touched while the value's lock is held."""

        def __init__(self) -> None: ...
        def push_front(self, item: T, /) -> bool:
            """Put an object that the program holds in front; False, and it is dropped, if it is in a list already."""
            ...

        def push_back(self, item: T, /) -> bool:
            """Put an object that the program holds at the end; False, and it is dropped, if it is in a list."""
            ...

        def pop_front(self) -> T | None:
            """Take the first one out: the program holds it then."""
            ...

        def pop_back(self) -> T | None:
            """Take the last one out: the program holds it then."""
            ...

        def front(self) -> T | None:
            """The first one, as long as the lock is held (Linux 6.16)."""
            ...

        def back(self) -> T | None:
            """The last one, as long as the lock is held (Linux 6.16)."""
            ...

    class RbRoot(Generic[T]):
        """A field of a map's value: a tree of objects in an order. It may be touched while the value's lock is held."""

        def __init__(self) -> None: ...
        def add(self, item: T, less: Callable[[T, T], bool], /) -> bool:
            """Put in an object that the program holds; False, and it is dropped, where it is in a tree already.

            `less(a, b)` says whether a comes before b: always the same function for one tree.
            """
            ...

        def remove(self, item: T, /) -> T | None:
            """Take out an object that was found in the tree: the program holds it then."""
            ...

        def first(self) -> T | None:
            """The least one, as long as the lock is held."""
            ...

        def root(self) -> T | None:
            """The topmost one, as long as the lock is held (Linux 6.16)."""
            ...

        def left(self, item: T, /) -> T | None:
            """The top of what comes before `item` below it (Linux 6.16)."""
            ...

        def right(self, item: T, /) -> T | None:
            """The top of what comes after `item` below it (Linux 6.16)."""
            ...

    def obj_new(kind: Callable[P, T], /, *args: P.args, **fields: P.kwargs) -> T | None:
        """A new object of a Struct, with these fields, that the program holds: None where there is no memory."""
        ...

    def obj_drop(item: object, /) -> None:
        """Give back an object that the program holds."""

    def refcount_acquire(item: T, /) -> T | None:
        """Hold an object with a RefCount once more."""
        ...


__all__ = [
    "Kptr", "ListHead", "ListNode", "RbNode", "RbRoot", "RefCount", "UntrustedKptr", "obj_drop", "obj_new",
    "refcount_acquire",
]  # fmt: skip

# Structs of the kernel that maps may keep, all of them freed by RCU: register_btf_id_dtor_kfuncs() in kernel/bpf.
_KEPT = ("bpf_cpumask", "bpf_crypto_ctx", "cgroup", "task_struct")
_NODES = {"bpf_list_head": "bpf_list_node", "bpf_rb_root": "bpf_rb_node"}
_CLASSES = {"bpf_list_node": "ListNode", "bpf_rb_node": "RbNode"}
_PARTS = ("bpf_list_node", "bpf_rb_node", "bpf_refcount")  # what objects of a program may have
# The functions behind the methods of lists and trees.
_CALLS = {
    "bpf_list_head": {
        "push_front": "bpf_list_push_front_impl", "push_back": "bpf_list_push_back_impl",
        "pop_front": "bpf_list_pop_front", "pop_back": "bpf_list_pop_back",
        "front": "bpf_list_front", "back": "bpf_list_back",
    },
    "bpf_rb_root": {
        "add": "bpf_rbtree_add_impl", "remove": "bpf_rbtree_remove", "first": "bpf_rbtree_first",
        "root": "bpf_rbtree_root", "left": "bpf_rbtree_left", "right": "bpf_rbtree_right",
    },
}  # fmt: skip


if not TYPE_CHECKING:

    class ListNode(Opaque):
        """A field of a Struct by which `obj_new()`'s objects hang in a list."""

        __slots__ = ()
        # struct bpf_list_node of Linux 6.6, include/uapi/linux/bpf.h
        __bpf__ = StructType("bpf_list_node", (), 24, 8, opaque="bpf_list_node")

    class RbNode(Opaque):
        """A field of a Struct by which `obj_new()`'s objects hang in a tree."""

        __slots__ = ()
        __bpf__ = StructType("bpf_rb_node", (), 32, 8, opaque="bpf_rb_node")

    class RefCount(Opaque):
        """A field of a Struct whose objects may be held, and be in a list and a tree, several times."""

        __slots__ = ()
        __bpf__ = StructType("bpf_refcount", (), 4, 4, opaque="bpf_refcount")

    for _each in (ListNode, RbNode, RefCount):
        _each.__bpf__.owner = _each

    _made: dict = {}  # (class, what it keeps) -> the one subclass for them

    class _Keeping(Opaque):
        """Made with what it keeps objects of: `Kptr[task_struct]`."""

        __slots__ = ()

        def __class_getitem__(cls, kept):
            key = (cls, kept)
            made = _made.get(key)
            if made is None:
                struct = cls.__bpf__
                own = type(f"{cls.__name__}[{getattr(kept, '__name__', kept)}]", (cls,), {"__slots__": ()})
                holds = cls._kept(kept, f"{cls.__name__}[{getattr(kept, '__name__', repr(kept))}]")
                own.__bpf__ = StructType(
                    struct.name, (), struct.size, struct.align, owner=own, opaque=struct.opaque, holds=holds
                )
                made = _made[key] = own
            return made

        def __eq__(self, other):  # a default has no parameter
            return isinstance(other, _Keeping) and self.__bpf__.opaque == other.__bpf__.opaque

        def __hash__(self):
            return hash(self.__bpf__.opaque)

    class Kptr(_Keeping):
        """A field of a map's value that keeps an object, of the kernel or one of `obj_new()`, or None."""

        __slots__ = ()
        __bpf__ = StructType("kptr", (), 8, 8, opaque="kptr")

        @staticmethod
        def _kept(kept, what):
            from pybpf.stdlib.helpers import spec_of as helper

            kind = getattr(kept, "__bpf__", None)
            if isinstance(kind, KernelType):
                if kind.name not in _KEPT:
                    raise DeclarationTypeError(
                        f"{what}: the kernel lets maps keep {', '.join(_KEPT)}, and no {kind.name}",
                        help="keep its address, a u64, and look the object up again",
                    )
                release = release_for(kind.name)
            else:
                kind = _allocated(kept, what)
                release = spec_of("bpf_obj_drop_impl")
            return Kept(kind, {"exchange": helper("bpf_kptr_xchg")}, release)

    class UntrustedKptr(_Keeping):
        """A field of a map's value that remembers an object of the kernel, or None, without holding it."""

        __slots__ = ()
        __bpf__ = StructType("kptr_untrusted", (), 8, 8, opaque="kptr_untrusted")

        @staticmethod
        def _kept(kept, what):
            kind = getattr(kept, "__bpf__", None)
            if not isinstance(kind, KernelType):
                raise DeclarationTypeError(
                    f"{what}: only objects of the kernel can be remembered without being held",
                    help="keep an object of the program in a Kptr",
                )
            return Kept(kind, {}, None)

    class ListHead(_Keeping):
        """A field of a map's value: a list of objects."""

        __slots__ = ()
        __bpf__ = StructType("bpf_list_head", (), 16, 8, opaque="bpf_list_head")

        @staticmethod
        def _kept(kept, what):
            return _hung(kept, what, "bpf_list_head")

    class RbRoot(_Keeping):
        """A field of a map's value: a tree of objects in an order."""

        __slots__ = ()
        __bpf__ = StructType("bpf_rb_root", (), 16, 8, opaque="bpf_rb_root")

        @staticmethod
        def _kept(kept, what):
            return _hung(kept, what, "bpf_rb_root")

    def _allocated(kept, what):
        """The struct of objects that a program allocates."""
        kind = getattr(kept, "__bpf__", None)
        if not isinstance(kind, StructType) or kind.owner is None or kind.union or kind.opaque:
            raise DeclarationTypeError(f"{what}: objects that programs allocate are of a class of Struct")
        if any(isinstance(field.type, StructType) and field.type.union for field in kind.fields):
            raise DeclarationTypeError(
                f"{what}: a {kind.name} has a Union, of which the verifier knows one member only"
            )
        held = opaque_in(kind)
        for name in held:
            if name not in _PARTS:
                raise DeclarationTypeError(
                    f"{what}: a {kind.name} holds what only the value of a map can",
                    help="locks, timers, lists and pointers belong in the value of a map",
                )
        if held:
            check_bits(what, kind)
        if len(held) > 1 and "bpf_refcount" not in held:
            raise DeclarationTypeError(
                f"{what}: a {kind.name} can hang in two places, and has no RefCount",
                help="add a field:", lines=("refs: RefCount = RefCount()",),
            )  # fmt: skip
        if any(held.count(name) > 1 for name in held):
            raise DeclarationTypeError(f"{what}: a {kind.name} can have one ListNode, one RbNode and one RefCount")
        return kind

    def _hung(kept, what, head):
        """What a list or a tree keeps."""
        kind = _allocated(kept, what)
        node = next((field for field in kind.fields if getattr(field.type, "opaque", "") == _NODES[head]), None)
        if node is None:
            wanted = _CLASSES[_NODES[head]]
            raise DeclarationTypeError(
                f"{what}: {kind.name} has no {wanted}", help="add a field:", lines=(f"node: {wanted} = {wanted}()",)
            )
        calls = {method: spec_of(name) for method, name in _CALLS[head].items()}
        return Kept(kind, {name: spec for name, spec in calls.items() if spec is not None}, _drop(), node)

    def _drop():
        return spec_of("bpf_obj_drop_impl")

    # A function for objects that programs allocate; `__bpf__` is its ObjectSpec. (No docstring: it is its own.)
    class _Function:
        __slots__ = ("__doc__", "__name__", "_kfunc")

        def __init__(self, name, kfunc, doc):
            self.__name__ = name
            self.__doc__ = doc
            self._kfunc = kfunc

        @property
        def __bpf__(self):
            return ObjectSpec(self.__name__, spec_of(self._kfunc), _drop(), _allocated)

        def __call__(self, *args, **fields):
            raise RuntimeError(f"{self.__name__}() works inside a BPF program only: load() or simulate() the program")

        def __repr__(self):
            return f"<pybpf function {self.__name__}>"

    obj_new = _Function("obj_new", "bpf_obj_new_impl", "A new object of a Struct, that the program holds.")
    obj_drop = _Function("obj_drop", "bpf_obj_drop_impl", "Give back an object that the program holds.")
    refcount_acquire = _Function(
        "refcount_acquire", "bpf_refcount_acquire_impl", "Hold an object with a RefCount once more."
    )
