"""The kernel's functions by name, for a probe that names one which can't be probed. Read from /proc/kallsyms."""

from __future__ import annotations

__all__ = ["why_not_probed"]


def why_not_probed(name: str, path: str = "/proc/kallsyms") -> str:
    """Why a kernel function can't be probed, or which one may be meant; a guess where the table can't be read."""
    known: set[str] = set()
    try:
        with open(path, encoding="ascii", errors="replace") as table:
            for line in table:  # address, type, name, [module]
                fields = line.split(None, 3)
                if len(fields) > 2 and fields[1] in "tT":
                    known.add(fields[2])
    except OSError:
        pass
    if not known:
        return "no such kernel function, or a kernel without kprobes"
    parts = sorted(each for each in known if each.startswith(f"{name}."))
    if name in known:
        return f"the kernel has {name}(), but does not let it be probed; try a function that calls it"
    if parts:
        return f"the compiler of this kernel changed it: there is {' and '.join(parts[:3])}"
    near = _close(name, known)
    if near:
        return f"this kernel has no function {name}; did you mean {' or '.join(near)}?"
    return f"this kernel has no function {name}, or has it inlined into its callers"


def _close(name: str, known: set[str]) -> list[str]:
    """Names that look like it, best first. Only those that begin or end alike are compared: there are 100,000."""
    import difflib

    few = [
        each for each in known
        if abs(len(each) - len(name)) <= 3 and (each[:3] == name[:3] or each[-4:] == name[-4:])
    ]  # fmt: skip
    return difflib.get_close_matches(name, sorted(few), 3, 0.75)
