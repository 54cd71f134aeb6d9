"""Plain data classes that cost next to nothing to import.

`dataclasses` itself takes 12-20 ms to import (it pulls in `inspect`) and each decorated class
another 0.3-1 ms, which a compiler of a hundred small classes pays at every start. `Record` gives the same
declaration style, checked by mypy and pyright through `dataclass_transform`:

    class Point(Record):
        x: int
        y: int = 0

Fields become `__slots__`; `__init__` takes them by position or keyword and is generated at the first
instantiation. Two records are equal when they are of the same class and their fields are equal
(`class Node(Record, eq=False)` keeps identity instead, and subclasses inherit that choice). A field that is
mutable by default takes a factory: `items: list[int] = factory(list)`. Records are to be treated as frozen
unless their docstring says otherwise; that is a habit of ours and not enforced at run time.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing has it, whose import takes milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from typing_extensions import dataclass_transform

    T = TypeVar("T")
else:

    def dataclass_transform(**_):
        return lambda cls: cls


__all__ = ["Record", "factory", "fields", "replace"]


class _Factory:
    __slots__ = ("make",)

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


def factory(make: Callable[[], T]) -> T:
    """Declare a field's default as the result of calling `make` for each new record."""
    return _Factory(make)  # type: ignore[return-value]


class _RecordMeta(type):
    """Turns annotations into slots; `_fields` lists all fields, inherited ones first."""

    _fields: tuple[str, ...]
    _defaults: dict[str, Any]

    def __new__(mcls, name: str, bases: tuple[type, ...], ns: dict[str, Any], *, eq: bool | None = None) -> _RecordMeta:
        inherited: tuple[str, ...] = ()
        defaults: dict[str, Any] = {}
        for base in reversed(bases):
            if type(base) is mcls:
                known = base._fields
                inherited = (*inherited, *[f for f in known if f not in inherited]) if inherited else known
                defaults.update(base._defaults)
        own = []
        for field in _annotations(ns):
            if field in ns:
                defaults[field] = ns.pop(field)
            if field not in inherited:
                own.append(field)
        ns["__slots__"] = slots = tuple(own)
        ns["_fields"] = ns["__match_args__"] = inherited + slots
        ns["_defaults"] = defaults
        if eq is False:
            ns["__eq__"] = object.__eq__
            ns["__hash__"] = object.__hash__
        if "__init__" not in ns:
            ns["__init__"] = _first_init
        return type.__new__(mcls, name, bases, ns)


def _annotations(ns: dict[str, Any]) -> list[str]:
    found = ns.get("__annotations__")
    if found is None and "__annotate_func__" in ns:  # Python 3.14 without the future import
        found = ns["__annotate_func__"](4)  # Format.STRING: names only, nothing is evaluated
    # ClassVars are written without a value in no record; only plain fields are annotated.
    return [n for n, kind in found.items() if str(kind)[:8] != "ClassVar" and n[:2] != "__"] if found else []


def _first_init(self: Any, *args: Any, **kwargs: Any) -> None:
    """Stand-in that generates the class's real `__init__` and calls it."""
    cls: Any = type(self)
    for owner in cls.__mro__:  # the nearest class that has the stand-in
        if owner.__dict__.get("__init__") is _first_init:
            owner.__init__ = _make_init(owner)
            break
    cls.__init__(self, *args, **kwargs)


def _make_init(cls: Any) -> Callable[..., None]:
    """`__init__` for the class's fields. Compiling one takes 100 us, so classes of the same shape share a template, and
    the image of the modules (pybpf/cli/image.py) keeps those that were made.
    """
    made = tuple([isinstance(cls._defaults.get(field), _Factory) for field in cls._fields])
    shape = made, hasattr(cls, "__post_init__")
    template = __kept__.get(shape) or __kept__.setdefault(shape, _template(*shape))
    names: dict[str, str] = {}  # the template's -> the class's
    env: dict[str, Any] = {"__name__": cls.__module__, "_unset": _unset}
    defaults = []
    for number, field in enumerate(cls._fields):
        names[f"field{number}"] = field
        if field in cls._defaults:
            default = cls._defaults[field]
            if made[number]:
                env[f"make{number}"] = default.make
            defaults.append(_unset if made[number] else default)
        else:
            assert not defaults, f"{cls.__qualname__}: field {field} without a default follows one with a default"
    code = template.replace(
        co_varnames=("self", *cls._fields), co_names=tuple([names.get(name, name) for name in template.co_names])
    )
    function: Any = type(_make_init)
    init: Callable[..., None] = function(code, env, "__init__", tuple(defaults))
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


__kept__: dict[tuple[tuple[bool, ...], bool], Any] = {}
_unset = object()


def _template(made: tuple[bool, ...], post: bool) -> Any:
    """The code of an `__init__` for fields called field0, field1, ...; `made` tells which come from a factory."""
    body = []
    for number, factory in enumerate(made):
        if factory:
            body.append(f"if field{number} is _unset: field{number} = make{number}()")
        body.append(f"self.field{number} = field{number}")
    if post:
        body.append("self.__post_init__()")
    env: dict[str, Any] = {}
    params = "".join([f", field{number}" for number in range(len(made))])
    exec(f"def __init__(self{params}):\n " + "\n ".join(body or ["pass"]), env)
    return env["__init__"].__code__


@dataclass_transform()
class Record(metaclass=_RecordMeta):
    """Base of all plain data; see the module's docstring."""

    if TYPE_CHECKING:

        def __init_subclass__(cls, *, eq: bool | None = None) -> None: ...

    def _key(self) -> tuple[Any, ...]:
        return tuple([getattr(self, f) for f in type(self)._fields])

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other):
            return NotImplemented
        same: Any = other
        return self._key() == tuple(same._key())

    def __hash__(self) -> int:
        return hash((type(self).__name__, *self._key()))

    def __repr__(self) -> str:
        inner = ", ".join(f"{f}={getattr(self, f, '<unset>')!r}" for f in type(self)._fields)
        return f"{type(self).__name__}({inner})"


def fields(record: Record | type[Record]) -> tuple[str, ...]:
    """Names of the fields, inherited ones first, in the order that `__init__` takes them."""
    found: tuple[str, ...] = getattr(record, "_fields")  # noqa: B009 (it belongs to the metaclass)
    return found


def replace(record: T, **changes: Any) -> T:
    """A copy of `record` with some fields changed."""
    cls: Any = type(record)
    return cls(**{f: getattr(record, f) for f in cls._fields} | changes)  # type: ignore[no-any-return]
