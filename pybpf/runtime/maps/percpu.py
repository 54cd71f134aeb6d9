"""Values of per-CPU maps: one per possible CPU, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pybpf.runtime.codec import Codec

__all__ = ["PerCpu", "PerCpuCodec"]

V = TypeVar("V")


class PerCpu(list[V]):
    """One value per CPU, in the order of the CPUs. `sum()`, `max()` and `min()` over them, where they are numbers."""

    def sum(self) -> V:
        """The total over all CPUs; of structs and arrays, that of each number in them."""
        return _total(self)  # type: ignore[no-any-return]

    def max(self: PerCpu[int]) -> int:
        """The largest of them."""
        return max(self)

    def min(self: PerCpu[int]) -> int:
        """The smallest of them."""
        return min(self)


def _total(values: list[Any]) -> Any:
    first = values[0]
    if isinstance(first, list):
        return type(first)([_total(list(items)) for items in zip(*values)])
    fields = getattr(type(first), "__bpf_fields__", None)
    if fields is None:
        return sum(values)
    return type(first)(**{name: _total([getattr(value, name) for value in values]) for name in fields})


class PerCpuCodec:
    """A per-CPU value: each CPU's in a slot rounded up to 8 bytes (kernel/bpf/syscall.c, bpf_map_value_size)."""

    def __init__(self, one: Codec, cpus: int) -> None:
        self.one = one
        self.cpus = cpus
        self.stride = (one.size + 7) // 8 * 8
        self.size = self.stride * cpus

    def decode(self, buffer: Any, at: int) -> PerCpu[Any]:
        one, stride = self.one.decode, self.stride
        return PerCpu([one(buffer, at + cpu * stride) for cpu in range(self.cpus)])

    def decode_many(self, buffer: Any, count: int, stride: int) -> list[PerCpu[Any]]:
        return [self.decode(buffer, at) for at in range(0, count * stride, stride)]

    def encode(self, value: Any) -> bytes:
        if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__len__"):
            raise TypeError(f"{self.one.what}: takes a list of {self.cpus} values, one per CPU, not {value!r}")
        if len(value) != self.cpus:
            raise ValueError(f"{self.one.what}: takes one value for each of {self.cpus} CPUs, {len(value)} given")
        return b"".join([self.one.encode(item).ljust(self.stride, b"\0") for item in value])
