"""The way to these commands, which loads them when somebody asks: a server that is started needs none of them."""

from importlib import import_module
from typing import cast

from typer import Context, Typer
from typer.core import TyperGroup
from typer.main import get_group

NAMES = ("tail", "history", "export", "candles", "status", "login", "logout")
COMMANDS = "cryptomarket.terminal.commands"


def _commands() -> TyperGroup:
    return get_group(cast("Typer", import_module(COMMANDS).app))


class Door(TyperGroup):
    """A group of commands that has these as well."""

    def list_commands(self, ctx: Context) -> list[str]:  # type: ignore[override]  # the library's own context is private
        """All names, these first: more people read than serve."""
        return [*NAMES, *super().list_commands(ctx)]

    def get_command(self, ctx: Context, cmd_name: str):  # type: ignore[no-untyped-def,override]  # noqa: ANN201 - its type is private
        """The command of a name."""
        if cmd_name in NAMES:
            return _commands().get_command(ctx, cmd_name)
        return super().get_command(ctx, cmd_name)
