"""Sphinx configuration: `make docs` builds with warnings as errors."""

from __future__ import annotations

import re
from importlib.metadata import version as _version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "equinoise"
author = "the equinoise authors"
copyright = "2026, the equinoise authors"
release = version = _version("equinoise")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_type_aliases = {"ArrayLike": "numpy.typing.ArrayLike"}
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"equinoise {release}"

# Literals and roles, which stay as they are, or a bar outside them.
_LITERAL_OR_BAR = re.compile(r"(``.+?``|`[^`]+`)|(?<!\\)\|", re.DOTALL)


def _keep_kets(_app: Sphinx, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    """Keep ``|x><y|`` and ``|a|`` as written: reStructuredText would take the bars for a substitution."""
    blocks: list[tuple[bool, list[str]]] = []
    verbatim_below: int | None = None  # indent of the line that opened a literal block
    in_doctest = False
    for line in lines:
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if text and verbatim_below is not None and indent <= verbatim_below:
            verbatim_below = None
        in_doctest = bool(text) and (in_doctest or text.startswith(">>>"))
        verbatim = in_doctest or verbatim_below is not None or text.startswith("..")
        if not blocks or blocks[-1][0] != verbatim:
            blocks.append((verbatim, []))
        blocks[-1][1].append(line)
        if verbatim_below is None and text.endswith("::"):
            verbatim_below = indent
    kept: list[str] = []
    for verbatim, block in blocks:
        joined = "\n".join(block)
        kept += (joined if verbatim else _LITERAL_OR_BAR.sub(lambda m: m[1] or r"\|", joined)).split("\n")
    lines[:] = kept


def _command_reference(_app: Sphinx) -> None:
    """Write ``cli.md`` from what the commands say of themselves."""
    from typer.testing import CliRunner

    from equinoise.cli.main import app as command

    runner = CliRunner(env={"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"})
    lines = ["# Command line", "", "Generated from the commands' own help.", ""]
    names = sorted(str(c.name or c.callback.__name__) for c in command.registered_commands if c.callback)
    for words in [[], *([name] for name in names)]:
        shown = runner.invoke(command, [*words, "--help"]).output.rstrip()
        lines += [f"## equinoise {' '.join(words)}".rstrip(), "", "```text", shown, "```", ""]
    text = "\n".join(lines)
    page = Path(__file__).with_name("cli.md")
    if not page.is_file() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Escape after napoleon has turned the Google sections into fields; write the command reference first."""
    app.connect("autodoc-process-docstring", _keep_kets, priority=900)
    app.connect("builder-inited", _command_reference, priority=100)
