"""`asm(...)` in a simulation: its instructions run one by one, over the places that its operands are.

An operand that is a place gets an address that nothing else has, so that the text can load, store and compute with it.
Helpers that it calls are those of the simulation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pybpf.compiler.isa.asm import assemble
from pybpf.compiler.isa.effects import OPERAND
from pybpf.compiler.isa.execute import MASK, TooLong, execute
from pybpf.simulator.errors import SimulationError
from pybpf.simulator.memory import Place
from pybpf.simulator.numbers import signed

if TYPE_CHECKING:
    from pybpf.simulator.simulation import Simulation

__all__ = ["run_asm"]

_FIRST, _STEP = 0x5000_0000_0000_0000, 1 << 32  # addresses of places; far from all that programs compute with


def run_asm(simulation: Simulation, packet_base: int, text: str, *values: Any) -> int:
    """The result, or 0 where there is none. `values` are ints, places and maps."""
    world = _World(simulation, packet_base)
    operands = {str(number): OPERAND + number for number in range(len(values) + 1)}
    registers = {OPERAND + 1 + number: world.pattern(value) for number, value in enumerate(values)}
    try:
        execute(assemble(text, operands), registers, world.read, world.write, world.helper)
    except TooLong:
        raise SimulationError("asm() runs for more than a million instructions") from None
    return registers.get(OPERAND, 0)


class _World:
    """What the text can reach: the objects that have an address."""

    def __init__(self, simulation: Simulation, packet_base: int) -> None:
        self.simulation = simulation
        self.packet_base = packet_base
        self.objects: list[Any] = []

    def pattern(self, value: Any) -> int:
        """A value as a register holds it."""
        if value is None:
            return 0
        if isinstance(value, int):
            return int(value) & MASK
        for number, known in enumerate(self.objects):
            if known is value:
                return _FIRST + number * _STEP
        self.objects.append(value)
        return _FIRST + (len(self.objects) - 1) * _STEP

    def place(self, address: int) -> Place:
        number, offset = divmod(address - _FIRST + _STEP // 2, _STEP)
        found = self.objects[number] if 0 <= number < len(self.objects) else None
        if not isinstance(found, Place):
            raise SimulationError(f"asm() uses memory at {address:#x}, where there is none")
        return found.at(offset - _STEP // 2, None)

    def _in_packet(self, address: int, size: int) -> int:
        """An address as an offset in the packet; -1 elsewhere."""
        offset = address - self.packet_base
        return offset if 0 <= offset <= len(self.simulation.packet or b"") - size else -1

    def read(self, address: int, size: int) -> bytes:
        at = self._in_packet(address, size)
        if at >= 0 and self.simulation.packet is not None:
            return bytes(self.simulation.packet[at : at + size])
        return self.place(address).read(size)

    def write(self, address: int, data: bytes) -> None:
        at = self._in_packet(address, len(data))
        if at >= 0 and self.simulation.packet is not None:
            self.simulation.packet[at : at + len(data)] = data
        else:
            self.place(address).write(data)

    def helper(self, number: int, registers: list[int]) -> int:
        from pybpf.stdlib.helpers import names_by_id, spec_of

        name = names_by_id().get(number, "")
        spec = spec_of(name) if name else None
        if spec is None:
            raise SimulationError(f"there is no helper number {number}")
        arguments: list[Any] = []
        for argument, register in zip(spec.args, registers):
            index = (register - _FIRST) // _STEP
            exact = register - _FIRST == index * _STEP and 0 <= index < len(self.objects)
            if exact and not isinstance(self.objects[index], Place):
                arguments.append(self.objects[index])  # a map
            elif argument.kind in ("scalar", "address", "size"):
                arguments.append(signed(register, 64))
            else:
                arguments.append(self.place(register))
        return self.pattern(self.simulation._call(name, tuple(arguments)))
