"""Objects in the kernel: load, look up programs and maps, attach, close.

    with load_object(compiled, globals={"only_pid": 7}) as obj:
        with obj.attach(firewall="eth0"):
            for event in obj[opens]: ...

A `LoadedObject` owns all that it opened: libbpf's object with its file descriptors, links, mapped ring buffers and
globals. `close()` (or leaving the `with` block, after an exception too) gives all of it back, once; whatever is used
later raises `ObjectClosed`.
"""

from __future__ import annotations

import ctypes
import os
import threading
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from pybpf.compiler.elf.data import ARENA
from pybpf.compiler.schema.specs import GlobalSpec, MapSpec, ProgramSpec
from pybpf.compiler.schema.types import BytesType
from pybpf.runtime import links, variables
from pybpf.runtime.errors import LoadError, ObjectClosed, PybpfError, errno_name
from pybpf.runtime.interrupts import Uninterrupted
from pybpf.runtime.kinds import unknown_to_libraries
from pybpf.runtime.libbpf import OpenOpts, library, messages
from pybpf.runtime.links.tables import LoadedTable, is_table, prepare
from pybpf.runtime.loadedmaps import loaded_map
from pybpf.runtime.loading import LogBuffers, load_failure
from pybpf.runtime.program import LoadedProgram

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from typing_extensions import Self

    from pybpf.compiler.schema.types import Type
    from pybpf.program import Program
    from pybpf.runtime.arenamemory import ArenaMemory
    from pybpf.runtime.links import Link
    from pybpf.runtime.maps import LoadedBloomFilter, LoadedMap, LoadedQueue, PerCpu
    from pybpf.runtime.maps.arenas import LoadedArena, MadeArena
    from pybpf.runtime.maps.cgroups import LoadedCgroups
    from pybpf.runtime.maps.devices import LoadedCpus, LoadedDevices, LoadedXsks
    from pybpf.runtime.maps.nested import LoadedMaps
    from pybpf.runtime.maps.sockets import LoadedSockets
    from pybpf.runtime.maps.storages import LoadedStorage
    from pybpf.runtime.perfbuf import LoadedPerfEvents
    from pybpf.runtime.ringbuf import LoadedRingBuffer
    from pybpf.runtime.stacks import LoadedStacks
    from pybpf.runtime.userring import LoadedUserRingBuffer
    from pybpf.runtime.verifier import Origin
    from pybpf.stdlib.maps import ArrayMap, HashMap, LruPerCpuHash, Map, PerCpuArray, PerCpuHash, RingBuffer
    from pybpf.stdlib.maps.arena import Arena
    from pybpf.stdlib.maps.cgroups import CgroupArray
    from pybpf.stdlib.maps.devices import CpuMap, DevMap, DevMapHash, XskMap
    from pybpf.stdlib.maps.events import PerfEventArray, UserRingBuffer
    from pybpf.stdlib.maps.nested import ArrayOfMaps, HashOfMaps
    from pybpf.stdlib.maps.queues import BloomFilter, Queue, Stack
    from pybpf.stdlib.maps.sockets import ReusePortSockArray, SockHash, SockMap
    from pybpf.stdlib.maps.stacks import StackTrace
    from pybpf.stdlib.maps.storages import (
        CgroupStorage,
        CgrpStorage,
        InodeStorage,
        PerCpuCgroupStorage,
        SkStorage,
        TaskStorage,
    )
    from pybpf.stdlib.summaries.base import Viewed

__all__ = ["CompiledObject", "LoadedObject", "load_object", "open_elf"]

K = TypeVar("K")
V = TypeVar("V")
J = TypeVar("J")
W = TypeVar("W")

ARENA_MAP = 33  # BPF_MAP_TYPE_ARENA
ARENA_SECTION = ARENA.encode() + b"\0"
STAND_IN = ".data.arena_1"  # what libraries that know no arenas are told in its place (maps/arenas.py)
_LOG_SIZES = (16 << 20, 256 << 20)  # bytes of address space; only what the kernel writes takes memory


class CompiledObject(Protocol):
    """What the compiler gives: object bytes and what it declared. All dictionaries go by symbol name."""

    @property
    def elf(self) -> bytes: ...
    @property
    def name(self) -> str: ...
    @property
    def programs(self) -> Mapping[str, ProgramSpec]: ...
    @property
    def maps(self) -> Mapping[str, MapSpec]: ...
    @property
    def globals(self) -> Mapping[str, GlobalSpec]: ...


def load_object(
    compiled: CompiledObject,
    *,
    globals: Mapping[str, Any] | None = None,
    log_level: int = 0,
    origin: Callable[[str, int], Origin | None] | None = None,
    target_program: LoadedProgram | Mapping[str, LoadedProgram] | None = None,
    pin_path: str = "",
) -> LoadedObject:
    """Load a compiled object into the kernel.

    `globals` sets variables, constants too, before the load. `log_level` keeps the verifier's log of programs
    that load as well (`obj.programs[name].log`): 1 its summary, 2 every step. `origin` tells, for rejections,
    (program, instruction) -> Python line and variables. `target_program` is the loaded program that @freplace and
    tracers of programs are for; or one for each, by name. `pin_path` is the directory, in a bpf file system, where maps
    declared with `pin=True` are found or put; /sys/fs/bpf, if it is not given.

    Raises `VerifierError`, `NotPermitted`, `NoBpf` or `LoadError`; nothing stays open then.
    """
    made = LoadedObject(compiled.elf, compiled.name, compiled.programs, compiled.maps, compiled.globals,
                        globals or {}, log_level, origin, target_program=target_program, pin_path=pin_path)  # fmt: skip
    made._called = frozenset(getattr(compiled, "called", ()))
    return made


def open_elf(
    elf: bytes,
    name: str = "object",
    *,
    only: Collection[str] | None = None,
    globals: Mapping[str, Any] | None = None,
    log_level: int = 0,
) -> LoadedObject:
    """Load any BPF object file's bytes. Without declarations, keys, values, events and globals are bytes.

    `only` names the programs to load (all whose section does not start with `?`, if None).
    """
    return LoadedObject(elf, name, {}, {}, {}, globals or {}, log_level, None, only)


class LoadedObject:
    """An object in the kernel. Made by `load_object` or `open_elf`; see the module's docstring.

    `programs` and `maps` go by name; `obj[declaration]` or `obj["name"]` gives a map, or a global's value.
    """

    def __init__(
        self,
        elf: bytes,
        name: str,
        programs: Mapping[str, ProgramSpec],
        maps: Mapping[str, MapSpec],
        globals: Mapping[str, GlobalSpec],
        values: Mapping[str, Any],
        log_level: int,
        origin: Callable[[str, int], Origin | None] | None,
        only: Collection[str] | None = None,
        target_program: LoadedProgram | Mapping[str, LoadedProgram] | None = None,
        pin_path: str = "",
    ) -> None:
        self._pin_path = os.path.abspath(pin_path).encode() if pin_path else None
        self._targets = target_program
        self._specs = dict(programs)
        self._symbols = variables.symbols(elf)
        self._codecs = variables.codecs(self._symbols, globals)
        self.globals = variables.Globals({}, {}, {}, self._check)
        self.name = name
        self.programs: dict[str, LoadedProgram] = {}
        self.tables: dict[str, LoadedTable] = {}  # of operations (struct_ops)
        self.maps: dict[str, Any] = {}  # LoadedMap, LoadedRingBuffer, UntypedMap
        self.messages: tuple[str, ...] = ()  # libbpf's warnings
        self._handle: int | None = None
        self._links: list[Link] = []
        self._scopes: list[list[Link]] = []
        self._fresh: list[Link] = []  # attached since the last `with`
        self._lock = threading.RLock()
        self._closed = False
        # Held until it is closed. (An Event may be left locked for ever by a signal handler that raises.)
        self._open_until = threading.Lock()
        self._open_until.acquire()
        self._ended = False  # closed to the end
        self.elf = elf  # the object file's bytes; libbpf may refer to them
        self._only = only
        self._called: frozenset[str] = frozenset()  # only ever tail-called: `attach()` leaves them alone
        self._arenas: dict[str, MadeArena] = {}  # by the map's name, until they are in `maps`
        self._arena_symbols: dict[str, variables.Symbol] = {}
        self._images: list[tuple[int, int]] = []  # what the library maps for them, and then forgets the size of
        self._arena_memory: ArenaMemory | None = None  # that its variables are in
        self._map_specs = dict(maps)
        self._global_specs = dict(globals)
        try:
            with Uninterrupted():
                logs = self._load(values, log_level, origin)
                self._collect(programs, logs)
        except BaseException:
            self.close()
            raise

    # ---------------------------------------------------------------------- loading

    def _open(self) -> int:
        lib = library()
        options = OpenOpts(sz=ctypes.sizeof(OpenOpts), object_name=self.name.encode(),
                           pin_root_path=self._pin_path)  # fmt: skip
        elf = self.elf
        if ARENA_SECTION in elf:
            from pybpf.runtime.maps.arenas import for_library

            elf = self._read = for_library(elf)
        with messages() as said:
            handle = lib.bpf_object__open_mem(elf, len(elf), options)
        if not handle:
            code = ctypes.get_errno()
            raise LoadError(
                f"libbpf can't read the object {self.name!r}: {errno_name(code)}"
                + "".join(f"\n  {line}" for line in said),
                log="\n".join(said),
            )
        return int(handle)

    def _load(
        self, values: Mapping[str, Any], log_level: int, origin: Callable[[str, int], Origin | None] | None
    ) -> dict[str, str]:
        """Open and load; the log of each program. The log buffers grow if the failing log did not fit."""
        lib = library()
        for size in _LOG_SIZES:
            self._handle = self._open()
            self._select()
            self._aim()
            self._look_for_pins()
            self._prepare_arenas()
            plain = {name: value for name, value in values.items() if name not in self._arena_symbols}
            for name in values.keys() - plain.keys():
                memory, kind, address = self._in_arena(name)
                memory.set(kind, address, values[name])
            variables.initialise(plain, self._symbols, self._codecs, self._section_memory)
            with LogBuffers(list(self._each("program")), size, log_level) as buffers:
                with messages() as said:
                    result = lib.bpf_object__load(self._handle)
                logs = buffers.texts()
            self.messages = tuple(said)
            if result >= 0:
                return logs
            handle, self._handle = self._handle, None
            types = {
                self._string(lib.bpf_program__name(p)): (
                    lib.bpf_program__type(p),
                    self._string(lib.bpf_program__section_name(p)),
                )
                for p in self._each("program", handle)
            }
            lib.bpf_object__close(handle)
            if result != -28 or size == _LOG_SIZES[-1]:  # ENOSPC: the log was cut
                raise load_failure(self.name, -result, said, logs, types, origin)
        raise AssertionError("the last size raises")

    def _select(self) -> None:
        """Leave out the programs that were not asked for, and give a type to those that an old libbpf has none for."""
        lib = library()
        for program in self._each("program"):
            if not lib.bpf_program__type(program):
                section = self._string(lib.bpf_program__section_name(program)).lstrip("?")
                known = unknown_to_libraries(section)
                if known is not None:
                    lib.bpf_program__set_type(program, known[0])
                    lib.bpf_program__set_expected_attach_type(program, known[1])
                    lib.bpf_program__set_flags(program, known[2])
        if self._only is None:
            return
        names = {self._string(lib.bpf_program__name(program)): program for program in self._each("program")}
        for name in self._only:
            if name not in names:
                raise LoadError(f"the object has no program {name!r}", variables.close_match(name, names))
        for name, program in names.items():
            lib.bpf_program__set_autoload(program, name in self._only)

    def _look_for_pins(self) -> None:
        """Before the library takes over maps that are pinned already: say what differs, as it does not."""
        lib = library()
        pinned = [
            (self._string(lib.bpf_map__name(map)), self._string(path),
             (lib.bpf_map__type(map), lib.bpf_map__key_size(map), lib.bpf_map__value_size(map),
              lib.bpf_map__max_entries(map), lib.bpf_map__map_flags(map)))
            for map in self._each("map") if (path := lib.bpf_map__pin_path(map))
        ]  # fmt: skip
        if pinned:
            from pybpf.runtime.maps.pinning import check_pins

            check_pins(pinned)

    def _prepare_arenas(self) -> None:
        """Make the arenas, map them, and let the library take them for its own."""
        lib = library()
        for map in self._each("map"):
            name = self._string(lib.bpf_map__name(map))
            if lib.bpf_map__type(map) != ARENA_MAP and not name.endswith(STAND_IN):
                continue
            from pybpf.runtime.maps.arenas import make_arena

            if lib.bpf_map__is_internal(map):  # of a library that knows no arenas: the variables in the only one
                made: MadeArena | None = next(iter(self._arenas.values()))
                self._images.append(self._section_memory(STAND_IN))
            else:
                made = self._arenas.get(name)
                if made is None:
                    spec = self._map_specs.get(name)
                    pages, flags = lib.bpf_map__max_entries(map), lib.bpf_map__map_flags(map)
                    extra = spec.extra if spec is not None else int(lib.bpf_map__map_extra(map))
                    made = make_arena(name, pages, flags, extra, self._string(lib.bpf_map__pin_path(map)))
                    self._arenas[name] = made
                    self._fill(made)
            assert made is not None
            result = lib.bpf_map__reuse_fd(map, made.fd)
            if result < 0:
                raise LoadError(f"creating map {name!r}: {errno_name(-result)}")

    def _fill(self, arena: MadeArena) -> None:
        """Put the initial values of variables into a new arena. (What is all zero is written too: so it gets pages.)"""
        data = variables.section_data(self.elf, ARENA)
        if not data:
            return
        self._arena_symbols = variables.symbols(self.elf, ARENA.__eq__)
        self._arena_memory = arena.memory
        if arena.fresh:
            arena.memory.write(arena.memory.start, data)

    def _aim(self) -> None:
        """Tell the kernel which loaded program each is for that replaces or traces a function of one."""
        lib = library()
        for map in self._each("map"):
            if is_table(map):
                prepare(map)
        for program in self._each("program"):
            name = self._string(lib.bpf_program__name(program))
            spec = self._specs.get(name)
            function = spec.attach.get("of_program") if spec is not None else None
            if function is None:
                continue
            target = self._targets.get(name) if isinstance(self._targets, Mapping) else self._targets
            if target is None:
                raise LoadError(
                    f"program {name!r} is for {function}() of another program: of which?",
                    'name a loaded one: load(..., target_program=obj.programs["main"])',
                )
            with messages() as said:
                result = lib.bpf_program__set_attach_target(program, target.fd, function.encode())
            if result < 0:
                text = "".join(f"\n  libbpf: {line}" for line in said[:4])
                help = f"does {target.name!r} have a global function of that name?"
                raise LoadError(f"program {name!r}: no function {function}() to be for{text}", help)

    def _each(self, what: str, handle: int | None = None) -> Iterator[int]:
        """libbpf's programs or maps, in its order."""
        lib, owner = library(), handle or self._handle
        following = lib.bpf_object__next_program if what == "program" else lib.bpf_object__next_map
        item = following(owner, None)
        while item:
            yield item
            item = following(owner, item)

    @staticmethod
    def _string(text: bytes | None) -> str:
        return text.decode(errors="replace") if text else ""

    def _section_of(self, map: int) -> str:
        """The data section behind an internal map: libbpf names it `<object>.rodata`, or by the section itself."""
        name = self._string(library().bpf_map__name(map))
        return name[name.index(".") :] if "." in name else name

    def _section_memory(self, section: str) -> tuple[int, int]:
        lib = library()
        for map in self._each("map"):
            if lib.bpf_map__is_internal(map) and self._section_of(map) == section:
                size = ctypes.c_size_t()
                return lib.bpf_map__initial_value(map, ctypes.byref(size)) or 0, size.value
        return 0, 0

    def _collect(self, programs: Mapping[str, ProgramSpec], logs: dict[str, str]) -> None:
        lib = library()
        for program in self._each("program"):
            if not lib.bpf_program__autoload(program):
                continue
            name = self._string(lib.bpf_program__name(program))
            self.programs[name] = LoadedProgram(
                self, program, name, lib.bpf_program__fd(program), lib.bpf_program__type(program),
                self._string(lib.bpf_program__section_name(program)), programs.get(name), logs.get(name, ""),
            )  # fmt: skip
        sections: dict[str, variables.Section] = {}
        for map in self._each("map"):
            fd = lib.bpf_map__fd(map)
            if lib.bpf_map__type(map) == ARENA_MAP:
                if not lib.bpf_map__is_internal(map):
                    name = self._string(lib.bpf_map__name(map))
                    self.maps[name] = self._loaded_arena(map, name, fd)
            elif is_table(map):
                name = self._string(lib.bpf_map__name(map))
                self.tables[name] = LoadedTable(self, map, fd, name)
            elif lib.bpf_map__is_internal(map):
                size, flags = lib.bpf_map__value_size(map), lib.bpf_map__map_flags(map)
                sections[self._section_of(map)] = variables.Section(fd, size, flags)
            elif fd >= 0:
                name = self._string(lib.bpf_map__name(map))
                self.maps[name] = self._loaded_map(map, name, fd)
        self.globals = variables.Globals(self._symbols, self._codecs, sections, self._check)

    def _loaded_map(self, map: int, name: str, fd: int) -> Any:
        lib = library()
        sizes = lib.bpf_map__key_size(map), lib.bpf_map__value_size(map)
        entries = lib.bpf_map__max_entries(map)
        return loaded_map(self, fd, name, lib.bpf_map__type(map), sizes, entries, self._map_specs.get(name))

    def _loaded_arena(self, map: int, name: str, fd: int) -> Any:
        from pybpf.runtime.kinds import map_kind
        from pybpf.runtime.maps.arenas import LoadedArena

        pages = library().bpf_map__max_entries(map)
        spec = self._map_specs.get(name) or MapSpec(name, map_kind(ARENA_MAP), None, None, pages)
        made = self._arenas.pop(name)
        os.close(made.fd)  # the library has one
        return LoadedArena(fd, spec, pages, self._check, made.memory)

    def _in_arena(self, name: str) -> tuple[ArenaMemory, Type, int]:
        """Where a variable in the arena is: the memory, its type, its address."""
        symbol = self._arena_symbols[name]
        assert self._arena_memory is not None
        spec = self._global_specs.get(name)
        kind = spec.type if spec is not None else BytesType(symbol.size)
        return self._arena_memory, kind, self._arena_memory.start + symbol.offset

    def _program_of(self, declaration: Any) -> LoadedProgram:
        """The loaded program of a declaration."""
        spec = getattr(declaration, "__bpf__", None)
        for program in self.programs.values():
            if program.spec is not None and spec is not None and program.spec.function is spec.function:
                return program
        raise PybpfError(
            f"{getattr(declaration, 'name', repr(declaration))} is no program of object {self.name!r}",
            f"it has {', '.join(self.programs)}: give one of them, or load the other one too",
        )

    # ---------------------------------------------------------------------- looking up

    def _check(self) -> None:
        if self._closed:
            raise ObjectClosed(f"object {self.name!r}")

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, what: Viewed[W]) -> W: ...
        @overload
        def __getitem__(self, what: RingBuffer[V]) -> LoadedRingBuffer[V]: ...
        @overload
        def __getitem__(self, what: PerfEventArray[V]) -> LoadedPerfEvents[V]: ...
        @overload
        def __getitem__(self, what: UserRingBuffer[V]) -> LoadedUserRingBuffer[V]: ...
        @overload
        def __getitem__(self, what: StackTrace) -> LoadedStacks: ...
        @overload
        def __getitem__(self, what: Arena) -> LoadedArena: ...
        @overload
        def __getitem__(self, what: SockMap | ReusePortSockArray) -> LoadedSockets[int]: ...
        @overload
        def __getitem__(self, what: SockHash[K]) -> LoadedSockets[K]: ...
        @overload
        def __getitem__(
            self, what: SkStorage[V] | TaskStorage[V] | CgrpStorage[V] | InodeStorage[V]
        ) -> LoadedStorage[V]: ...
        @overload
        def __getitem__(self, what: PerCpuCgroupStorage[V]) -> LoadedMap[int, PerCpu[V]]: ...
        @overload
        def __getitem__(self, what: CgroupStorage[V]) -> LoadedMap[int, V]: ...
        @overload
        def __getitem__(self, what: PerCpuHash[K, V]) -> LoadedMap[K, PerCpu[V]]: ...
        @overload
        def __getitem__(self, what: ArrayOfMaps[HashMap[K, V]]) -> LoadedMaps[int, LoadedMap[K, V]]: ...
        @overload
        def __getitem__(self, what: ArrayOfMaps[ArrayMap[V]]) -> LoadedMaps[int, LoadedMap[int, V]]: ...
        @overload
        def __getitem__(self, what: ArrayOfMaps[Any]) -> LoadedMaps[int, Any]: ...
        @overload
        def __getitem__(self, what: HashOfMaps[K, HashMap[J, V]]) -> LoadedMaps[K, LoadedMap[J, V]]: ...
        @overload
        def __getitem__(self, what: HashOfMaps[K, ArrayMap[V]]) -> LoadedMaps[K, LoadedMap[int, V]]: ...
        @overload
        def __getitem__(self, what: HashOfMaps[K, Any]) -> LoadedMaps[K, Any]: ...
        @overload
        def __getitem__(self, what: LruPerCpuHash[K, V]) -> LoadedMap[K, PerCpu[V]]: ...
        @overload
        def __getitem__(self, what: PerCpuArray[V]) -> LoadedMap[int, PerCpu[V]]: ...
        @overload
        def __getitem__(self, what: Queue[V] | Stack[V]) -> LoadedQueue[V]: ...
        @overload
        def __getitem__(self, what: CgroupArray) -> LoadedCgroups: ...
        @overload
        def __getitem__(self, what: BloomFilter[V]) -> LoadedBloomFilter[V]: ...
        @overload
        def __getitem__(self, what: Map[K, V]) -> LoadedMap[K, V]: ...
        @overload
        def __getitem__(self, what: DevMap | DevMapHash) -> LoadedDevices: ...
        @overload
        def __getitem__(self, what: CpuMap) -> LoadedCpus: ...
        @overload
        def __getitem__(self, what: XskMap) -> LoadedXsks: ...
        @overload
        def __getitem__(self, what: Program[..., Any]) -> LoadedProgram: ...
        @overload
        def __getitem__(self, what: Any) -> Any: ...

    def __getitem__(self, what: Any) -> Any:
        """The map, the program, or the global's value, of a declaration or a name."""
        self._check()
        view = getattr(what, "__bpf_view__", None)
        if view is not None and not isinstance(what, type):
            return view(self)
        if isinstance(what, str):
            if what in self.maps:
                return self.maps[what]
            if what in self.globals:
                return self.globals[what]
            if what in self._arena_symbols:
                memory, kind, address = self._in_arena(what)
                return memory.get(kind, address)
            names = {**self.maps, **dict.fromkeys(self.globals)}
            hint = variables.close_match(what, names) or f"it has {', '.join(names) or 'none'}"
            raise KeyError(f"object {self.name!r} has no map or global {what!r}; {hint}")
        spec = getattr(what, "__bpf__", what)
        if isinstance(spec, ProgramSpec):
            return self._program_of(what)
        for name, known in self._map_specs.items():
            if known is spec:
                return self.maps[name]
        for name, variable in self._global_specs.items():
            if variable is spec and spec.arena is not None:
                memory, kind, address = self._in_arena(name)
                return memory.get(kind, address)
            if variable is spec:
                return self.globals[name]
        if isinstance(spec, GlobalSpec) and spec.section:
            raise KeyError(f"{spec.name!r} is the kernel's: the program reads it, and the object does not hold it")
        if isinstance(spec, (MapSpec, GlobalSpec)):
            raise KeyError(
                f"object {self.name!r} does not hold {spec.name!r}: none of its programs uses that declaration"
            )
        raise TypeError(f"obj[...] takes a map, a global or a name, not {what!r}")

    def __setitem__(self, what: Any, value: Any) -> None:
        """Set a global variable, by declaration or name."""
        self._check()
        spec = getattr(what, "__bpf__", what)
        name = next((name for name, known in self._global_specs.items() if known is spec), spec)
        if not isinstance(name, str):
            raise TypeError("only globals are set like this; a map's elements are set as obj[map][key] = value")
        if name in self._arena_symbols:
            memory, kind, address = self._in_arena(name)
            memory.set(kind, address, value)
            return
        self.globals[name] = value

    # ---------------------------------------------------------------------- attaching

    def attach(self, **targets: Any) -> Self:
        """Attach all programs, each where its section says; `firewall="eth0"` gives a program's target.

        A target is an interface name or index, a process id for uprobes, a dict of options (see `links`), or None to
        leave that program alone. Programs that others go on in from the start, by a program array, are attached only
        where they are given a target. `pid=`, `mode=` and `netns=` (unless a program is called so) are options for all
        programs that take them. Everything that this call attached is detached if one of them fails. Use it as a `with`
        block to detach at its end.
        """
        self._check()
        shared = self._shared_options(targets)
        made: list[Link] = []
        try:
            for name, program in self.programs.items():
                target = targets.get(name)
                left = not program.attachable or name in self._called
                if (name in targets and target is None) or (name not in targets and left):
                    continue
                options = target if isinstance(target, dict) else {} if target is None else {"target": target}
                taken = links.options(program.section)
                with Uninterrupted():
                    made.append(program.attach(**{k: v for k, v in shared.items() if k in taken}, **options))
            for name, table in self.tables.items():
                if name not in targets or targets[name] is not None:
                    with Uninterrupted():
                        made.append(table.attach())
        except BaseException:
            for link in reversed(made):
                link.detach()
            raise
        self._fresh += made
        return self

    def _shared_options(self, targets: dict[str, Any]) -> dict[str, Any]:
        """What was given to `attach` and names no program: options of all that take them."""
        shared = {}
        for name, value in targets.items():
            if name in self.programs or (name in self.tables and value is None):
                continue
            if not any(name in links.options(program.section) for program in self.programs.values()):
                help = variables.close_match(name, self.programs) or f"the object has {', '.join(self.programs)}"
                raise PybpfError(f"there is no program {name!r} to attach, and no option of that name", help)
            shared[name] = value
        return shared

    @property
    def links(self) -> tuple[Link, ...]:
        """What is attached now, oldest first."""
        return tuple(self._links)

    def detach(self) -> None:
        """Detach everything, newest first."""
        for link in reversed(self.links):
            link.detach()

    def _add_link(self, link: Link) -> None:
        self._links.append(link)

    def _drop_link(self, link: Link) -> None:
        if link in self._links:
            self._links.remove(link)

    def wait(self, timeout: float | None = None) -> None:
        """Let the programs work: until Ctrl-C, until the object is closed, or for `timeout` seconds."""
        try:
            if self._open_until.acquire(timeout=-1 if timeout is None else max(0, timeout)):
                self._open_until.release()  # the next one who waits
        except KeyboardInterrupt:
            return

    # ---------------------------------------------------------------------- closing

    @property
    def closed(self) -> bool:
        return self._closed

    def __enter__(self) -> Self:
        self._check()
        self._scopes.append(self._fresh)
        self._fresh = []
        return self

    def __exit__(self, *_: object) -> None:
        scope = self._scopes.pop() if self._scopes else []
        if not self._scopes:
            self.close()
        else:
            for link in reversed(scope):
                link._leave()

    def close(self) -> None:
        """Detach and close everything. May be called twice, and from another thread."""
        close = library().bpf_object__close if self._handle is not None else None
        with self._lock:
            if self._ended:
                return
            if not self._closed:
                self._closed = True
                self._open_until.release()
            # Ctrl-C may end this anywhere, and another call goes on: each step may be taken twice.
            failed: Exception | None = None
            for link in reversed(self.links):
                try:
                    link._leave()
                except Exception as error:
                    failed = failed or error
            for map in self.maps.values():
                map._shut()
            self.globals.close()
            while self._arenas:  # of a load that failed
                self._arenas.popitem()[1].close()
            handle, self._handle = self._handle, None
            if handle is not None and close is not None:
                close(handle)
            if self._images:
                from pybpf.runtime.maps.arenas import unmap

                while self._images:
                    unmap(*self._images.pop())
            self.maps = {}  # what nobody holds gives its descriptor back now
            self._ended = True
            if failed is not None:
                raise failed

    def __del__(self) -> None:
        if getattr(self, "_ended", True):
            return
        try:
            if not self._closed:
                warnings.warn(f"object {self.name!r} was never closed", ResourceWarning, source=self, stacklevel=2)
        finally:  # the warning may be an exception
            self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{len(self._links)} attached"
        return f"<object {self.name!r}: {', '.join(self.programs)}; {state}>"
