"""Commands and their options as data, and a reader of plain command lines.

`parse` understands what is written as the tables say: `--name value`, `--name=value`, `-n value`, flags, positional
words, and `--`. It never explains: anything else is None, and click (clickapp.py) takes the whole line.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

__all__ = ["Argument", "Command", "Option", "parse"]


class Option:
    """An option. `names` as typed (`-o`, `--output`); the value's key is the last one without dashes."""

    def __init__(
        self,
        *names: str,
        help: str,
        metavar: str = "TEXT",
        default: str | None = None,
        choices: tuple[str, ...] = (),
        multiple: bool = False,
        flag: bool = False,
    ) -> None:
        self.names = names
        self.key = names[-1].lstrip("-").replace("-", "_")
        self.help = help
        self.metavar = metavar
        self.default = default
        self.choices = choices
        self.multiple = multiple
        self.flag = flag

    def empty(self) -> Any:
        """The value when the option isn't given."""
        return False if self.flag else [] if self.multiple else self.default


class Argument:
    """A positional word; the last of a command may be `multiple`: one or more, as a list."""

    def __init__(self, key: str, metavar: str, *, optional: bool = False, multiple: bool = False) -> None:
        self.key = key
        self.metavar = metavar
        self.optional = optional
        self.multiple = multiple


class Command:
    """A command: `run` gets the values by key and gives the exit code. `help` starts with one line that sums it up."""

    def __init__(
        self,
        name: str,
        run: Callable[[dict[str, Any]], int],
        help: str,
        arguments: tuple[Argument, ...] = (),
        options: tuple[Option, ...] = (),
    ) -> None:
        self.name = name
        self.run = run
        self.help = help
        self.arguments = arguments
        self.options = options


def parse(command: Command, words: Sequence[str]) -> dict[str, Any] | None:
    """The values of a plain command line, or None."""
    by_name = {name: option for option in command.options for name in option.names}
    values = {option.key: option.empty() for option in command.options}
    given: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            given.extend(rest)
            break
        if len(word) < 2 or word[0] != "-":
            given.append(word)
            continue
        name, equals, value = word.partition("=")
        option = by_name.get(name)
        if option is None or (equals and (option.flag or name[:2] != "--")):
            return None
        if option.flag:
            values[option.key] = True
            continue
        if not equals:
            following = next(rest, None)
            if following is None or (following[:1] == "-" and following != "-"):
                return None
            value = following
        if option.choices and value not in option.choices:
            return None
        if option.multiple:
            values[option.key].append(value)
        else:
            values[option.key] = value
    needed = sum([not argument.optional for argument in command.arguments])
    many = any([argument.multiple for argument in command.arguments])
    if len(given) < needed or (len(given) > len(command.arguments) and not many):
        return None
    for index, argument in enumerate(command.arguments):
        if argument.multiple:
            values[argument.key] = given[index:]
        else:
            values[argument.key] = given[index] if index < len(given) else None
    return values
