"""Groups of options written once: a command that takes a dataclass of options has each of its fields as an option."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints

import typer

__all__ = ["grouped", "panel"]


def panel(name: str) -> Callable[..., Any]:
    """``typer.Option`` whose options stand on one panel of the help.

    Args:
        name: Of the panel.
    """
    return functools.partial(typer.Option, rich_help_panel=name)


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command as Typer takes it: every parameter that is a dataclass is replaced by its fields.

    Args:
        command: With annotated options, and dataclasses of such.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters = []
    for parameter in inspect.signature(command).parameters.values():
        group = groups.get(parameter.name)
        if group is None:
            own = parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
            parameters.append(own)
            continue
        annotations = get_type_hints(group, include_extras=True)
        for one in fields(group):
            default = inspect.Parameter.empty if one.default is MISSING else one.default
            kind = inspect.Parameter.KEYWORD_ONLY
            parameters.append(inspect.Parameter(one.name, kind, default=default, annotation=annotations[one.name]))

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{one.name: given.pop(one.name) for one in fields(group)})
        command(**given)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
