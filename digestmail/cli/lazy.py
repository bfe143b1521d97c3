"""Commands that are imported when they are used: `--help` lists them from a table, without their modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    Command = Any
    """Typer has the classes of Click under a private name since 0.26, and those of Click itself before."""


@dataclass(frozen=True, slots=True)
class CommandPlace:
    """Where a command is: a module of `digestmail.cli`, and a `typer.Typer` in it or a function that registers it."""

    module: str
    attribute: str = "register"


@dataclass(frozen=True, slots=True)
class Lazy:
    """A command that is not imported yet."""

    place: CommandPlace
    help: str
    """The first sentence of its help."""


class LazyCommands(MutableMapping[str, "Command"]):
    """The commands of a group by name, in the order of the table. Looking one up imports it."""

    def __init__(self, table: Mapping[str, Lazy], others: Mapping[str, Command]) -> None:
        """Take the table, and commands that exist already."""
        self._table = table
        self._names = dict.fromkeys([*table, *others])
        self._loaded: dict[str, Command] = dict(others)

    def __getitem__(self, name: str) -> Command:
        """Return a command, imported if it was not. Raises KeyError if there is none of this name."""
        if name not in self._loaded:
            self._loaded[name] = load(name, self._table[name].place)
        return self._loaded[name]

    def __setitem__(self, name: str, command: Command) -> None:
        """Add or replace a command."""
        self._names[name] = None
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        """Remove a command."""
        del self._names[name]
        self._loaded.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        """Yield the names. Nothing is imported."""
        return iter(self._names)

    def __len__(self) -> int:
        """Return how many commands there are."""
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        """Return whether there is such a command. Nothing is imported."""
        return name in self._names


def load(name: str, place: CommandPlace) -> Command:
    """Import a command and build it. Raises KeyError if its place has no command of this name."""
    found = getattr(import_module(f"digestmail.cli.{place.module}"), place.attribute)
    # With a callback, Typer builds a group even around a single command.
    around = typer.Typer(callback=lambda: None, add_completion=False, rich_markup_mode=None)
    if isinstance(found, typer.Typer):
        around.add_typer(found, name=name)
    else:
        found(around)
    group: Any = typer.main.get_command(around)
    return group.commands[name]


def lazy_group(table: Mapping[str, Lazy]) -> type[TyperGroup]:
    """Return the class of a group with the commands of `table`, for `typer.Typer(cls=...)`."""

    class LazyGroup(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self.commands = LazyCommands(table, self.commands)

        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Typer's signature
            return list(self.commands)

        def format_commands(self, ctx: Any, formatter: Any) -> None:
            # A command without parameters is made in no time.
            shown = {name: TyperCommand(name, help=lazy.help) for name, lazy in table.items()}
            eager = {name: self.commands[name] for name in self.commands if name not in table}
            listed: Any = TyperGroup(name=self.name, commands={**shown, **eager})
            listed.format_commands(ctx, formatter)

    return LazyGroup
