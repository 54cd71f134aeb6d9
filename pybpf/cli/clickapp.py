"""The command line as click sees it, built from the commands' tables: help, errors, shell completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pybpf.cli import COMMANDS, command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybpf.cli.table import Command

__all__ = ["app", "click_main"]


class _Commands(click.Group):
    """A group whose commands are looked up when they are needed, with a word for a misspelt one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _click_command(command(cmd_name)) if cmd_name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(name, COMMANDS, 1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            if name.endswith(".py"):
                hint = f" To compile a file: pybpf build {name}"
            ctx.fail(f"No such command '{name}'.{hint}")
        return super().resolve_command(ctx, args)


def _click_command(table: Command) -> click.Command:
    params: list[click.Parameter] = [
        click.Argument(
            [argument.key],
            metavar=argument.metavar,
            required=not argument.optional,
            nargs=-1 if argument.multiple else 1,
        )
        for argument in table.arguments
    ]
    for option in table.options:
        given: dict[str, Any] = {"help": option.help}
        if option.flag:
            given["is_flag"] = True
        else:
            given["multiple"] = option.multiple
            if not option.multiple:
                given["default"] = option.default
            if option.choices:
                given["type"] = click.Choice(option.choices)
            else:
                given["metavar"] = option.metavar
        params.append(click.Option([option.key, *option.names], **given))

    def run(**values: Any) -> int:
        from pybpf.cli.messages import guarded

        return guarded(table, {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()})

    summary = table.help.split("\n")[0]
    return click.Command(table.name, callback=run, params=params, help=table.help, short_help=summary)


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"pybpf {version('pybpf')}")
        ctx.exit()


def app() -> click.Group:
    """The whole command line as a click group."""
    version = click.Option(
        ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
    )
    return _Commands(
        "pybpf",
        params=[version],
        help="Write eBPF programs in typed Python: compile, check, load and run them.",
        context_settings={"help_option_names": ["-h", "--help"]},
        no_args_is_help=True,
    )


def click_main(words: Sequence[str]) -> int:
    """Run a command line by click; the exit code (2: the command line is wrong)."""
    try:
        code = app().main(args=list(words), prog_name="pybpf", standalone_mode=False)
    except click.exceptions.Exit as exit:
        return exit.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 130
    return int(code or 0)
