"""`pybpf doctor`: what this machine offers: the kernel, this user's privileges, libbpf, and which programs load.

Nothing is changed: small programs and maps are loaded and closed again, one of each type that pybpf knows.
"""

from __future__ import annotations

from pybpf.cli.table import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["COMMAND"]

FORMAT = Option("--format", choices=("text", "json"), default="text", help="How to print.")
HELPERS = Option("--helpers", flag=True, help="Find out, too, which helpers each program type lacks; takes seconds.")


def run(values: dict[str, Any]) -> int:
    from pybpf.cli.messages import UserError

    try:
        from os import geteuid as _  # noqa: F401
    except ImportError:
        raise UserError("this system has no BPF; programs can be compiled here") from None
    from pybpf.probing import sections

    found = sections(values["helpers"])
    if values["format"] == "json":
        import json

        made = {
            section.heading: [
                {"name": one.name, "state": one.state, "text": one.text, "help": one.help} for one in section.findings
            ]
            for section in found
        }
        print(json.dumps(made, indent=2))
        return 0
    for section in found:
        print(section.heading)
        width = max(16, *[len(one.name) for one in section.findings])
        for one in section.findings:
            sign = {"lacks": "-", "ok": "+"}.get(one.state, " ")
            print(f"{sign} {one.name:<{width}} {one.text}".rstrip())
            if one.help and one.state == "lacks":
                print(f"  {'':<{width}} help: {one.help}")
    return 0


COMMAND = Command(
    "doctor",
    run,
    "Say what this machine offers: kernel, privileges, libbpf.\n\n"
    "A line begins with + for what is there, with - for what is not, with what to do about it.",
    options=(HELPERS, FORMAT),
)
