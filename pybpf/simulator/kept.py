"""What maps keep in a simulation: pointers, lists and trees in their values, and objects that programs allocate.

An object of the program is a `Ref` to memory of its own; one of the kernel its address. What a field keeps is known by
the field's place in memory, so a value that is deleted and made anew keeps nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pybpf.simulator.errors import SimulationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.simulator.memory import Ref

__all__ = ["KEPT_HELPERS", "Keeper"]

_SHAPE = ("bpf_rbtree_left", "bpf_rbtree_right", "bpf_rbtree_root")


class _Object:
    """An object's memory, which stays alive here, how often it is held, and by which nodes it hangs somewhere."""

    def __init__(self, memory: bytearray) -> None:
        self.memory = memory
        self.held = 1
        self.hung: set[int] = set()


class Keeper:
    """What is kept, by memory and offset."""

    def __init__(self) -> None:
        self._fields: dict[tuple[int, int], tuple[bytearray, Any]] = {}
        self._objects: dict[int, _Object] = {}

    def allocate(self, made: Ref) -> Ref:
        """A new object, which the program holds."""
        self._objects[id(made.memory)] = _Object(made.memory)
        return made

    def drop(self, item: Ref) -> None:
        found = self._objects[id(item.memory)]
        found.held -= 1
        if not found.held:
            del self._objects[id(item.memory)]

    def hold(self, item: Ref) -> Ref:
        self._objects[id(item.memory)].held += 1
        return item

    # --- pointers

    def load(self, place: Ref) -> Any:
        """What a pointer leads to, or None."""
        return self._fields.get((id(place.memory), place.offset), (None, None))[1]

    def exchange(self, place: Ref, new: Any) -> Any:
        old = self.load(place)
        self._fields[id(place.memory), place.offset] = place.memory, new or None
        return old

    # --- lists and trees

    def hung(self, root: Ref) -> list[Ref]:
        """The objects of a list or a tree, in their order."""
        found: list[Ref] = self._fields.setdefault((id(root.memory), root.offset), (root.memory, []))[1]
        return found

    def call(self, name: str, root: Ref, node: int, item: Ref | None, less: Callable[..., bool] | None) -> Any:
        """A function of a list or a tree, by the kernel's name."""
        if name in _SHAPE:
            raise SimulationError(
                f"{name}() shows how the kernel balances its tree, which a simulation does not",
                "use first() and remove()",
            )
        items = self.hung(root)
        if name == "bpf_rbtree_remove":
            assert item is not None
            at = next((i for i, other in enumerate(items) if other.memory is item.memory), None)
            return None if at is None else self._taken(items.pop(at), node)
        if item is None:
            if not items:
                return None
            found = items[-1 if name.endswith("back") else 0]
            if "pop" not in name:
                return found
            items.pop(-1 if name.endswith("back") else 0)
            return self._taken(found, node)
        held = self._objects[id(item.memory)]
        if node in held.hung:  # the kernel drops what hangs somewhere already
            self.drop(item)
            return False
        held.hung.add(node)
        if less is None:
            at = len(items) if "back" in name else 0
        else:
            at = next((i for i, other in enumerate(items) if less(item, other)), len(items))
        items.insert(at, item)
        return True

    def _taken(self, item: Ref, node: int) -> Ref:
        self._objects[id(item.memory)].hung.discard(node)
        return item


KEPT_HELPERS: dict[str, Callable[..., Any]] = {
    "bpf_kptr_xchg": lambda sim, place, new: sim.keeper.exchange(place, new),
    "bpf_obj_drop_impl": lambda sim, item, *_: sim.keeper.drop(item),
    "bpf_refcount_acquire_impl": lambda sim, item, *_: sim.keeper.hold(item),
}
