"""How results show themselves: a few lines of text, small HTML tables, and pandas frames where pandas is installed."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from equinoise.errors import EquinoiseError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MissingPackageError", "data_frame", "facts_html", "facts_text", "rows_html", "short"]

_MOST_ROWS = 12


class MissingPackageError(EquinoiseError):
    """An optional package is needed and not installed."""


def data_frame(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """Columns as a pandas frame.

    Args:
        columns: Column name to values, all of one length.

    Raises:
        MissingPackageError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise MissingPackageError(
            "to_dataframe() needs the package pandas, which is missing. Run: pip install pandas"
        ) from None
    return pd.DataFrame({name: list(values) for name, values in columns.items()})


def short(value: Any) -> str:
    """A value as text: four significant digits, and words for what is unknown or endless."""
    if value is None:
        return "unknown"
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "unknown"
    return "infinity" if math.isinf(value) else f"{value:.4g}"


def facts_text(title: str, facts: Mapping[str, Any]) -> str:
    """A title, and a line for each name and value; values of None are left out.

    Args:
        title: The first line.
        facts: Name to value.

    Example:
        >>> print(facts_text("law", {"kappa": 0.25, "w0": None, "seed": 3}))
        law
          kappa  0.25
          seed   3
    """
    known = {name: short(value) for name, value in facts.items() if value is not None}
    width = max(map(len, known), default=0)
    return "\n".join([title, *(f"  {name:<{width}}  {value}" for name, value in known.items())])


def facts_html(caption: str, facts: Mapping[str, Any], below: str = "") -> str:
    """A table of names and values.

    Args:
        caption: Above it.
        facts: Name to value.
        below: HTML to follow.
    """
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{html.escape(name)}</th>'
        f'<td style="text-align:left">{html.escape(short(value))}</td></tr>'
        for name, value in facts.items()
    )
    return f"<div><table><caption><b>{html.escape(caption)}</b></caption><tbody>{rows}</tbody></table>{below}</div>"


def rows_html(caption: str, names: Sequence[str], rows: Iterable[Sequence[Any]], most: int = _MOST_ROWS) -> str:
    """A table of rows, the first few of many.

    Args:
        caption: Above it.
        names: Of the columns.
        rows: Values, in the order of the columns.
        most: Rows shown; how many more there are is said.
    """
    listed = list(rows)
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(short(value))}</td>" for value in row) + "</tr>" for row in listed[:most]
    )
    more = f"<p>and {len(listed) - most} more rows</p>" if len(listed) > most else ""
    return (
        f"<div><table><caption><b>{html.escape(caption)}</b></caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>{more}</div>"
    )
