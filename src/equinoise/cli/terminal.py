"""All text that reaches the terminal: names from files and arguments are shown, never obeyed by it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any

import typer
from rich.console import Console
from rich.segment import Segment

__all__ = ["Terminal", "complain", "printable", "say"]

_WIDEST_MESSAGE = 1200
_KEPT_END = 400


def printable(text: str) -> str:
    r"""Text with its control characters written out, so that no name can move the cursor or change colours.

    Line ends stay; of Unicode's other control, format, surrogate, private and unassigned characters (escape, backspace,
    the marks that turn the writing direction) the escape sequence is shown.

    Args:
        text: Any.

    Example:
        >>> from equinoise.cli.terminal import printable
        >>> printable("a" + chr(27) + "[31mb")
        'a\\x1b[31mb'
    """
    if text.isprintable():
        return text
    return "".join(
        c if c == "\n" or c.isprintable() or unicodedata.category(c) == "Zs" else _written_out(c) for c in text
    )


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


class Terminal(Console):
    """Rich's console, with every text that it draws made printable."""

    def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
        """The segments of whatever is printed; those that steer the terminal are rich's own and stay."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)


def say(text: str) -> None:
    """A line on stdout."""
    typer.echo(printable(text))


def complain(text: str) -> None:
    """A line on stderr; one that is too long to read loses its middle: the remedy stands at the end."""
    if len(text) > _WIDEST_MESSAGE:
        text = f"{text[: _WIDEST_MESSAGE - _KEPT_END]} ... {text[-_KEPT_END:]}"
    typer.echo(printable(text), err=True)
