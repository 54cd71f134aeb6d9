"""A simulated machine: who runs, what time it is, what memory holds, which maps there are.

    sim = Simulation(pid=1234, comm="cat")
    sim.run(enter, filename=sim.user.put("/etc/passwd"))
    sim.run(leave, ret=3)
    assert sim[opens][0].path == "/etc/passwd"

Programs are checked as for the kernel and translated to Python (translator.py); a mistake is the same CompileError.
Maps and globals belong to the Simulation, so programs that run in the same one share them. Inside `with sim:` the
programs' own `simulate()` runs in it, and map declarations act as their maps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from pybpf.compiler.schema.record import Record
from pybpf.compiler.schema.types import EnumType, IntType, NoneType, PtrType, Space, TextType, size_of
from pybpf.simulator.context import given_arguments, lent_objects, make_context
from pybpf.simulator.dynptrs import SimulatedDynptr
from pybpf.simulator.errors import SimulationError
from pybpf.simulator.helpers import HELPERS
from pybpf.simulator.kept import Keeper
from pybpf.simulator.memory import Far, Place, Ref, Spaces
from pybpf.simulator.numbers import atomic, floor_divide, modulo, signed, wrap
from pybpf.simulator.objects import Objects
from pybpf.simulator.printf import format_line
from pybpf.simulator.tables import Programs, Ring, Table, make_table, to_bytes
from pybpf.simulator.timers import Timers
from pybpf.simulator.translator import Translator
from pybpf.simulator.views import MapView, ProgramsView, RingView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from pybpf.compiler.frontend.tree import Program as TypedProgram
    from pybpf.compiler.schema.specs import FillSpec, GlobalSpec, HelperSpec, IterSpec, MapSpec, Target
    from pybpf.compiler.schema.types import Type
    from pybpf.runtime.maps import PerCpu
    from pybpf.stdlib.maps import Map, PerCpuArray, PerCpuHash, RingBuffer
    from pybpf.stdlib.summaries.base import Viewed

    K = TypeVar("K")
    V = TypeVar("V")
    W = TypeVar("W")

__all__ = ["Outcome", "Simulation"]

_TAIL_CALLS = 33
_PACKET_BASE = 0x1_0000  # what a packet's first byte has for an address


class Outcome(Record, eq=False):
    """What one run gave: the program's return value, and the packet and the context as it left them."""

    retval: int
    packet: bytes
    context: bytes
    simulation: Simulation

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, declaration: Viewed[W], /) -> W: ...
        @overload
        def __getitem__(self, declaration: RingBuffer[V], /) -> RingView[V]: ...
        @overload
        def __getitem__(self, declaration: PerCpuHash[K, V], /) -> MapView[K, PerCpu[V]]: ...
        @overload
        def __getitem__(self, declaration: PerCpuArray[V], /) -> MapView[int, PerCpu[V]]: ...
        @overload
        def __getitem__(self, declaration: Map[K, V], /) -> MapView[K, V]: ...
        @overload
        def __getitem__(self, declaration: Any, /) -> Any: ...

    def __getitem__(self, declaration: Any, /) -> Any:
        """A map or global of the simulation."""
        return self.simulation[declaration]

    @property
    def printed(self) -> list[str]:
        """All lines that were printed in the simulation, by this run and those before it."""
        return self.simulation.printed


class Simulation:
    """`pid`, `tid`, `uid`, `gid`, `comm` are the current task's; `cpu` is where it runs, of `cpus`. `time` is the clock
    in ns; it advances by 1 µs each time it is looked at. All of them may be changed between runs.

    `task` is the current `task_struct`, as objects.py takes it; where it is not given it has pid, tgid and comm.
    `user_memory` and `kernel_memory` map addresses to what lies there. `seed` is that of random numbers. Other
    keywords set `const()`s and `var()`s by name, as load() does.
    """

    def __init__(
        self,
        *,
        pid: int = 1000,
        tid: int | None = None,
        uid: int = 0,
        gid: int = 0,
        comm: str = "simulated",
        cpu: int = 0,
        cpus: int = 1,
        time: int = 1_000_000_000,
        seed: int = 0,
        task: Any = None,
        user_memory: Mapping[int, bytes | str] | None = None,
        kernel_memory: Mapping[int, bytes | str] | None = None,
        target: Target | None = None,
        **globals: Any,
    ) -> None:
        import random

        self.pid = pid
        self.tid = pid if tid is None else tid
        self.uid = uid
        self.gid = gid
        self.comm = comm
        self.cpu = cpu
        self.cpus = max(cpus, cpu + 1)
        self.time = time
        self.random = random.Random(seed)
        self.user = Spaces("user", 0x7F00_0000_0000)
        self.kernel = Spaces("kernel", 0xFFFF_8881_0000_0000)
        self.objects = Objects(self.kernel)
        self.task = task
        self._own_task: dict[str, Any] = {}
        for space, given in ((self.user, user_memory), (self.kernel, kernel_memory)):
            for address, data in (given or {}).items():
                space.put(data, address)
        self.printed: list[str] = []
        self.timers = Timers()
        self.keeper = Keeper()
        self.packet: bytearray | None = None
        self.metadata = bytearray()  # what lies in front of the packet
        self.redirected = 0  # the interface that a packet was sent to last
        self.program_type = ""  # of the program that runs
        self._lent: dict[str, Any] = {}
        self._target = target
        self._context = bytearray()
        self._initial = globals
        self.reserved: dict[int, Any] = {}  # records that the bare helper reserved, by the identity of their memory
        self._helpers: dict[str, Callable[..., Any]] = {}
        self._tables: dict[int, Any] = {}  # Table, Ring, Programs, and those of othertables.py
        self._specs: list[MapSpec | GlobalSpec] = []  # keeps alive what is known by identity
        self._globals: dict[int, Ref] = {}
        self._programs: dict[Any, tuple[TypedProgram, Callable[..., Any]]] = {}
        self._before: list[Any] = []
        self._tail_calls_left = 0

    # --- running

    def run(self, program: Any, packet: bytes | None = None, *, context: bytes | None = None, **values: Any) -> Outcome:
        """Run a program once. `packet` are the bytes it is given, `values` fields of its context or arguments by name.

        Raises CompileError for a program that the compiler refuses, SimulationError where the simulation can't go on.
        """
        typed, function = self._translated(program)
        return self.run_typed(typed, function, packet, context, values)

    def run_typed(
        self,
        typed: TypedProgram,
        function: Callable[..., Any],
        packet: bytes | None,
        context: bytes | None,
        values: Mapping[str, Any],
    ) -> Outcome:
        """Run what `translate` gave."""
        wants_packet = self._takes_packet(typed)
        if wants_packet and packet is None:
            context_spec = typed.spec.context
            if context_spec is not None and not context_spec.state:  # events that have one now and then, as TCP's
                packet = b""
        if wants_packet and packet is None:
            raise SimulationError(f"{typed.spec.name} needs a packet", "give its bytes: simulate(packet=...)")
        if packet is not None and not wants_packet:
            raise SimulationError(f"{typed.spec.name} takes no packet", "give fields of its context by name")
        outer = self.packet, self._context
        self.packet = None if packet is None else bytearray(packet)
        pointers = {var.name: var.type.pointee for var, _ in typed.args if isinstance(var.type, PtrType)}
        given = {n: self.objects.address(v, pointers[n]) if n in pointers else v for n, v in values.items()}
        self.program_type = typed.spec.prog_type
        self._lent = lent_objects(typed, given)
        if packet is not None and "len" not in given and context is None and typed.spec.context is not None:
            given |= {"len": len(packet)} if typed.spec.context.field("len") is not None else {}
        self._context = make_context(typed, context, given)
        try:
            typed, result = self._run(typed, function)
            retval = _retval(typed, result)
            return Outcome(retval, bytes(self.packet or b""), bytes(self._context), self)
        finally:
            self.packet, self._context = outer

    def _run(self, typed: TypedProgram, function: Callable[..., Any]) -> tuple[TypedProgram, Any]:
        """The program that ended, after at most 33 tail calls (MAX_TAIL_CALL_CNT), and what it returned."""
        from pybpf.stdlib.simulation import TailCalled

        for left in range(_TAIL_CALLS, -1, -1):
            self._tail_calls_left = left
            try:
                return typed, function(*[self._parameter(typed, var) for var in typed.function.params])
            except TailCalled as called:
                typed, function = self._translated(called.program)
        raise AssertionError("a tail call too many was made")

    def _tail_call(self, table: Programs, index: int) -> None:
        if self._tail_calls_left:
            table.call(index)

    def _takes_packet(self, typed: TypedProgram) -> bool:
        context = typed.spec.context
        return context is not None and (
            context.struct == "__sk_buff" or any(field.role == "packet" for field in context.fields)
        )

    def _parameter(self, typed: TypedProgram, var: Any) -> Any:
        for argument, offset in typed.args:
            if argument is var:
                number = int.from_bytes(self._context[offset : offset + 8], "little")
                kind = var.type.base if isinstance(var.type, EnumType) else var.type
                return wrap(number, kind.bits, kind.signed) if isinstance(kind, IntType) else number
        return Ref(self._context)

    def _translated(self, program: Any) -> tuple[TypedProgram, Callable[..., Any]]:
        found = self._programs.get(program)
        if found is None:
            from pybpf.compiler.frontend import check, parse
            from pybpf.compiler.schema.specs import Target

            parsed = parse([program.__bpf__])
            typed = given_arguments(check(parsed, self._target or Target(), whole=False).programs[0])
            found = self._programs[program] = typed, self.translate(typed)
        return found

    def advance(self, nanoseconds: int) -> int:
        """Let time pass: timers that are due meanwhile call their functions, in order. Returns how many did."""
        until, count = self.time + nanoseconds, 0
        with self:
            while (due := self.timers.next(until)) is not None:
                self.time = max(self.time, due[0])
                due[1]()
                count += 1
        self.time = max(self.time, until)
        return count

    def translate(self, typed: TypedProgram) -> Callable[..., Any]:
        """A checked program as a Python function of its parameters."""
        return Translator(self, self._names()).function(typed.function)

    def _names(self) -> dict[str, Any]:
        """What translated code calls."""
        return {
            "_asm": self._asm,
            "_context_at": lambda offset, type: Ref(self._context, offset, type),
            "_dynamic": self._dynamic,
            "_dynptr": SimulatedDynptr,
            "_element": _element,
            "_far": lambda address, space, type: Far(self.user if space == Space.USER else self.kernel, address, type),
            "_fill": self._fill,
            "_floor_divide": floor_divide,
            "_atomic": atomic,
            "_allocate": self.keeper.allocate,
            "_keep": self.keeper.exchange,
            "_kept": self.keeper.load,
            "_node_call": self.keeper.call,
            "_fresh": lambda data, type: Ref(bytearray(data), 0, type),
            "_iterate": self._iterate,
            "_has_helper": lambda name: name in self._helpers or name in HELPERS,
            "_helper": self._helper,
            "_modulo": modulo,
            "_lent": lambda name: self._lent.get(name),
            "_packet_at": self._packet_at,
            "_packet_end": lambda: _PACKET_BASE + len(self._packet()),
            "_packet_meta": lambda: _PACKET_BASE - len(self.metadata),
            "_packet_start": lambda: _PACKET_BASE,
            "_printk": self._printk,
            "_same_text": _same_text,
            "_signed": signed,
            "_timer_cancel": self.timers.cancel,
            "_timer_start": lambda timer, table, delay, call: self.timers.start(timer, table, self.time + delay, call),
            "_tail_call": self._tail_call,
            "_to_bytes": to_bytes,
            "_truth": lambda value: value is not None and (isinstance(value, Place) or bool(value)),
        }

    def _packet_at(self, address: int, type: Type) -> Ref:
        """What lies at an address in the packet, or in the metadata in front of it."""
        at = address - _PACKET_BASE
        return Ref(self._packet(), at, type) if at >= 0 else Ref(self.metadata, at + len(self.metadata), type)

    def _packet(self) -> bytearray:
        assert self.packet is not None
        return self.packet

    def _dynamic(self, offset: int, type: Type) -> Ref:
        """A dynamic string of a tracepoint: where it is stands in the low half of the field."""
        start = int.from_bytes(self._context[offset : offset + 2], "little")
        return Ref(self._context, start or len(self._context), type, dynamic=True)

    # --- kernel objects

    def current_task(self) -> int:
        """The address of the current task's task_struct."""
        from pybpf.stdlib.kernel.names import lookup

        found = lookup("task_struct")
        if found is None:
            return 0xFFFF_8880_0000_0000 + (self.tid << 12)
        if self.task is None:
            self._own_task.update(pid=self.tid, tgid=self.pid, comm=self.comm[:15])
            return self.objects.address(self._own_task, found.__bpf__)
        return self.objects.address(self.task, found.__bpf__)

    # --- helpers

    def helper(self, helper: Any, function: Callable[..., Any]) -> None:
        """Supply or replace a helper or kfunc: `sim.helper("bpf_get_stackid", lambda context, map, flags: 7)`.

        It is given by its name, or as what the program calls. The function gets numbers, and for pointers places with
        `read(size)` and `write(data)`.
        """
        name = helper if isinstance(helper, str) else helper.__bpf__.name
        if isinstance(helper, str):
            from pybpf.stdlib import helpers, kfuncs

            if name not in helpers.names() and name not in (*kfuncs.names(), *kfuncs.iterators()):
                raise SimulationError(f"there is no helper {name!r}")
        self._helpers[name] = function

    def _helper(self, spec: HelperSpec, type: Type, *args: Any) -> Any:
        result = self._call(spec.name, args)
        if isinstance(type, NoneType) or not isinstance(type, (IntType, EnumType)):
            return result
        kind = type.base if isinstance(type, EnumType) else type
        return wrap(int(result or 0), kind.bits, kind.signed)

    def _call(self, name: str, args: tuple[Any, ...]) -> Any:
        supplied = self._helpers.get(name)
        if supplied is not None:
            return supplied(*args)
        known = HELPERS.get(name)
        if known is None:
            raise SimulationError(
                f"{name}() has no simulation", f"supply one: simulation.helper({name!r}, lambda *args: 0)"
            )
        return known(self, *args)

    def _iterate(self, spec: IterSpec | HelperSpec, type: Type, *args: Any) -> Iterator[Any]:
        """What an iterator of the kernel or a helper gives to loops: numbers, or objects, which a test supplies."""
        for element in self._call(spec.name, args):
            if isinstance(type, PtrType):
                yield self.objects.address(element, type.pointee)
            else:
                yield wrap(int(element), type.bits, type.signed) if isinstance(type, IntType) else element

    def _asm(self, text: str, *values: Any) -> int:
        from pybpf.simulator.asm import run_asm

        return run_asm(self, _PACKET_BASE, text, *values)

    def _fill(self, spec: FillSpec, type: Type, *args: Any) -> Ref:
        made = Ref(bytearray(size_of(type)), 0, type)
        words: dict[str, Any] = {"dest": made, "size": size_of(type)}
        words.update({word: int(word[1:]) for word in spec.call if isinstance(word, str) and word[0] == "="})
        self._call(spec.helper.name, tuple([words[w] if isinstance(w, str) else args[w] for w in spec.call]))
        return made

    def _printk(self, format: bytes, *args: Any) -> None:
        values: list[Any] = [_printed(arg) for arg in args]
        self.printed.append(format_line(format, values))

    # --- maps and globals

    def table(self, spec: MapSpec) -> Any:
        """The in-memory map of a spec."""
        found = self._tables.get(id(spec))
        if found is None:
            found = self._tables[id(spec)] = make_table(spec, self.cpus, lambda: self.cpu)
            self._specs.append(spec)
            for key, inner in spec.inners.items():
                found.tables[key.to_bytes(4, "little")] = self.table(inner.__bpf__)
        return found

    def global_place(self, spec: GlobalSpec) -> Ref:
        """The memory of a global."""
        found = self._globals.get(id(spec))
        if found is None:
            data = spec.init
            if spec.name in self._initial:
                from pybpf.stdlib.variables import encode

                data = encode(spec.type, self._initial[spec.name], spec.name)
            if spec.arena is not None:
                found = self.table(spec.arena).variable(spec, data)
            else:
                found = Ref(bytearray(data), 0, spec.type)
            self._globals[id(spec)] = found
            self._specs.append(spec)
        return found

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, declaration: Viewed[W], /) -> W: ...
        @overload
        def __getitem__(self, declaration: RingBuffer[V], /) -> RingView[V]: ...
        @overload
        def __getitem__(self, declaration: PerCpuHash[K, V], /) -> MapView[K, PerCpu[V]]: ...
        @overload
        def __getitem__(self, declaration: PerCpuArray[V], /) -> MapView[int, PerCpu[V]]: ...
        @overload
        def __getitem__(self, declaration: Map[K, V], /) -> MapView[K, V]: ...
        @overload
        def __getitem__(self, declaration: Any, /) -> Any: ...

    def __getitem__(self, declaration: Any, /) -> Any:
        """A map as a typed mapping, a ring buffer as the list of its events, a global's value."""
        from pybpf.compiler.schema.specs import GlobalSpec, MapSpec

        own = getattr(declaration, "__bpf_view__", None)
        if own is not None and not isinstance(declaration, type):
            return own(self)
        spec = getattr(declaration, "__bpf__", declaration)
        if isinstance(spec, MapSpec):
            table = self.table(spec)
            if isinstance(table, Programs):
                return ProgramsView(table)
            if type(table) is Ring:
                return RingView(table)
            if isinstance(table, Table):
                return MapView(table)
            from pybpf.simulator.otherviews import view

            return view(table, self.table)
        if isinstance(spec, GlobalSpec) and spec.arena is not None:
            memory = self.table(spec.arena).memory
            return memory.get(spec.type, memory.start + self.global_place(spec).offset)
        if isinstance(spec, GlobalSpec):
            return self.global_place(spec).value()
        raise TypeError(f"{declaration!r} is no map or global: give the declaration, as in sim[paths]")

    def __setitem__(self, declaration: Any, value: Any) -> None:
        """Set a global, or replace what a map holds."""
        from pybpf.compiler.schema.specs import GlobalSpec
        from pybpf.stdlib.variables import encode

        spec = getattr(declaration, "__bpf__", declaration)
        if isinstance(spec, GlobalSpec) and spec.arena is not None:
            memory = self.table(spec.arena).memory
            memory.set(spec.type, memory.start + self.global_place(spec).offset, value)
            return
        if isinstance(spec, GlobalSpec):
            self.global_place(spec).write(encode(spec.type, value, spec.name))
            return
        view = self[declaration]
        view.clear()
        view.update(value)

    # --- inside `with`

    def __enter__(self) -> Self:
        from pybpf.simulator.seam import Seam
        from pybpf.stdlib.simulation import enter

        self._before.append(enter(Seam(self)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from pybpf.stdlib.simulation import enter

        enter(self._before.pop())


def _retval(typed: TypedProgram, result: Any) -> int:
    spec = typed.spec
    answer = spec.default_return if result is None else int(result)
    low, high = spec.allowed or (answer, answer)
    return answer if low <= answer <= high else spec.default_return


def _printed(value: Any) -> Any:
    """A number, or the bytes of a text up to its NUL."""
    return value.text(size_of(value.type)) if isinstance(value, Place) and value.type is not None else value


def _element(base: Place, index: int, count: int, step: int, type: Type) -> Place:
    if not 0 <= index < count:
        raise SimulationError(f"index {index} of {count} elements")
    return base.at(index * step, type)


def _same_text(lhs: Place, rhs: Place, equal: bool) -> bool:
    assert lhs.type is not None and rhs.type is not None
    if isinstance(lhs.type, TextType):
        same = lhs.text(size_of(lhs.type)) == rhs.text(size_of(rhs.type))
    else:
        same = lhs.read(size_of(lhs.type)) == rhs.read(size_of(rhs.type))
    return same == equal
