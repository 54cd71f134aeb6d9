"""E00xx: the user's file could not be read as a module, before anything is compiled."""

from __future__ import annotations

from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.span import Span

__all__ = ["BadDeclaration", "NotPython", "RaisedOnImport"]


# What other languages write, near the place where Python gives up, and what Python has instead.
_SIGNS = (
    ("++", "write `x += 1`"), ("--", "write `x -= 1`"), ("&&", "write `and`"), ("||", "write `or`"),
    ("->", "a pointer's members are read like any attribute, with a dot"), ("?", "write `a if condition else b`"),
    ("!", "write `not`"), ("`", "write the text between quotes"),
)  # fmt: skip


class NotPython(Diagnostic):
    """The file is not valid Python, so nothing in it was looked at.

    pybpf reads programs with the Python interpreter it runs on; the message is the interpreter's own. Syntax that only
    a newer Python knows (`except*` needs 3.11, `type X = ...` 3.12) is reported like this too.

        def probe(ctx: XdpContext) -> XDP     # fails: the colon is missing
            return XDP.PASS

        def probe(ctx: XdpContext) -> XDP:    # works
            return XDP.PASS
    """

    problem: str

    code = "E0001"
    title = "{problem}"
    label = "Python can't read on from here"

    def more(self) -> Iterator[Label | Note | Help]:
        line = self.span.source.line(self.span.line)
        for sign, advice in _SIGNS:
            if sign in line[max(self.span.col - 2, 0) : self.span.col + 2]:
                yield Help(advice)
                return


class RaisedOnImport(Diagnostic):
    """The file raised an exception while it was imported, outside of any program.

    pybpf imports the file to find the programs and maps in it, as `import` would: everything at module level runs,
    except what stands under `if __name__ == "__main__":`. The frames shown are those of your own files.

        LIMIT = int(sys.argv[1])              # fails: sys.argv is pybpf's own command line

        if __name__ == "__main__":            # works: not run by pybpf
            limit = int(sys.argv[1])
    """

    exception: str  # "ZeroDivisionError: division by zero"
    callers: tuple[Span, ...] = ()
    inside: str = ""  # module of other people's code that raised it, called by the user's
    leaves: bool = False  # SystemExit
    way_out: str = ""
    lines: tuple[str, ...] = ()

    code = "E0002"
    title = "importing the file raised {exception}"
    label = "raised here"

    def texts(self) -> tuple[str, str]:
        title, label = super().texts()
        return title, f"raised in {self.inside}, called here" if self.inside else label

    def more(self) -> Iterator[Label | Note | Help]:
        for caller in self.callers:
            yield Label(caller, "called from here")
        if self.way_out:
            yield Help(self.way_out, self.lines)
        if self.inside.startswith("pybpf.runtime") or self.inside == "pybpf.loading":
            yield Help("load programs in the part that only the script itself runs:", ('if __name__ == "__main__":',))
        if self.leaves:
            yield Help("what only the script itself should do belongs under:", ('if __name__ == "__main__":',))


class BadDeclaration(Diagnostic):
    """A struct, map, variable or hook is declared in a way that BPF has no room for.

    The message says what is wrong with the declaration. It is found while the file is imported, when the declaration
    runs.

        counts = HashMap[u32, str](max_entries=8)          # fails: str has no size
        counts = HashMap[u32, Text[L[16]]](max_entries=8)  # works
    """

    problem: str
    why: str = ""
    way_out: str = ""
    lines: tuple[str, ...] = ()

    code = "E0003"
    title = "{problem}"
    label = "{why}"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.way_out or self.lines:
            yield Help(self.way_out or "write:", self.lines)
