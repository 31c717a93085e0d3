"""The commands, as the command itself knows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer.main

from hashret.cli import app

# As it is named in a sentence.
_OPTION = re.compile(r"(?<![\w`-])(--[a-z][\w-]*)")

__all__ = ["all_commands", "command", "command_names", "commands"]


def command_names() -> list[str]:
    """Return the names of all commands, as they are typed after `hashret`."""
    return [name for name, _ in all_commands()]


def commands() -> str:
    """Return a table of all commands."""
    rows = [
        f"| [`hashret {name}`](commands/{name.replace(' ', '-')}.md) | {_summary(one)} |"
        for name, one in all_commands()
    ]
    return "\n".join(["| command | |", "|---|---|", *rows])


def command(*words: str) -> str:
    """Return what a command does, its arguments and options."""
    name = " ".join(words)
    one = dict(all_commands())[name]
    context = one.context_class(one, info_name=f"hashret {name}")
    usage = " ".join([context.command_path, *one.collect_usage_pieces(context)])
    told, _, examples = (one.help or "").partition("\n\b\nExamples:\n")
    parts = [_OPTION.sub(r"`\1`", told.strip()), f"```text\n{usage}\n```"]
    if examples:
        lines = "\n".join(line.removeprefix("  ") for line in examples.strip("\n").splitlines())
        parts.append(f"Examples:\n\n```text\n{lines}\n```")
    for kind in ("argument", "option"):
        some = [each for each in one.get_params(context) if each.param_type_name == kind]
        parts.append(_listed(name, kind, some, context))
    return "\n\n".join(filter(None, parts))


def all_commands() -> Iterator[tuple[str, Any]]:
    """Yield the name and the object of each command, in the order of the help."""
    yield from _within(typer.main.get_command(app), ())


def _within(group: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    context = group.context_class(group)
    for name in group.list_commands(context):
        one = group.get_command(context, name)
        if hasattr(one, "list_commands"):
            yield from _within(one, (*words, name))
        else:
            yield " ".join((*words, name)), one


def _summary(one: Any) -> str:
    return _cell(one.get_short_help_str(limit=200))


def _listed(name: str, kind: str, parameters: list[Any], context: Any) -> str:
    if not parameters:
        return ""
    lines = [".. rubric:: Arguments" if kind == "argument" else ".. rubric:: Options", ""]
    lines.append(f".. program:: hashret {name}")
    for one in parameters:
        names, told = one.get_help_record(context)
        # As a list of terms: what is no option has no place in the list of options.
        head = [f".. option:: {names}", ""] if kind == "option" else [f"``{names.split()[0]}``"]
        lines += ["", *head, f"   {_plain(told)}"]
    return "\n".join(["```{eval-rst}", *lines, "```"])


def _plain(words: str) -> str:
    """Return words without what is a sign to reStructuredText."""
    text = re.sub(r"\s+\[([^\[\]]*)\]$", r" (\1)", " ".join(words.split()))
    return _OPTION.sub(r"``\1``", re.sub(r"([\\*`|_])", r"\\\1", text))


def _cell(words: str) -> str:
    text = " ".join(words.split()).replace("|", "\\|").replace("*", "\\*").replace("<", "\\<")
    return _OPTION.sub(r"`\1`", text)
