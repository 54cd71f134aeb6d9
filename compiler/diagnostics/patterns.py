"""E0114 and E014x: patterns of `match` that a program can't have, or that never match."""

from __future__ import annotations

from pybpf.compiler.diagnostics.advice import Advised

__all__ = ["NeverMatches", "NoPattern", "NoSubject"]


class NoPattern(Advised):
    """A pattern that needs what programs do not have: a dict, a list of the rest, a class that is no Struct.

    Literals, constants by dotted name, `_`, names, `a | b`, `pattern as name`, structs by their fields, and elements of
    arrays and written-out tuples can be matched, all with guards.

    Fails:

        match event:
            case {"kind": 1}:
                ...

    Works:

        match event:
            case Event(kind=1):
                ...
    """

    why_not: str
    instead: str

    code = "E0114"
    title = "this pattern can't be compiled"
    label = "{why_not}"
    way_out = "{instead}"


class NeverMatches(Advised):
    """A pattern that can't match its subject, whatever the values are: its type is another, or it has another length.

    Fails:

        match ip.protocol:          # a number
            case Event(kind=1):
                ...

    Works:

        match ip.protocol:
            case 1:
                ...
    """

    text: str
    kind: str
    reason: str

    code = "E0140"
    title = "the pattern `{text}` never matches: the subject is {kind}"
    label = "{reason}"
    way_out = "remove the case, or match what the subject can be"


class NoSubject(Advised):
    """What can be matched is a value: a number, a text, a struct, an array, None.

    Fails:

        match ctx:
            case PtRegs():
                ...

    Works:

        match ctx.di:
            case 0:
                ...
    """

    what: str

    code = "E0141"
    title = "{what} can't be matched"
    label = "not a value"
    way_out = "match a number, a text, or a struct"
