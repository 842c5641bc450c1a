"""One self-contained page about a model: its answers, its readouts, kappa's budget, and the whole record."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING

from equinoise.text.notebook import rows_html

if TYPE_CHECKING:
    from equinoise.diagnosis.loss.along_run import RunDiagnosis
    from equinoise.diagnosis.loss.loss_diagnosis import LossDiagnosis

__all__ = ["model_page", "run_page"]

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}th,td{padding:.2rem .8rem;border-bottom:1px solid #ddd;"
    "text-align:left;vertical-align:top}pre{white-space:pre-wrap;font-size:12px}"
)
_MOST_TERMS = 200


def model_page(diagnosis: LossDiagnosis, source: str, command: str) -> str:
    """The page as text; it runs no script and asks the network for nothing.

    Args:
        diagnosis: Of the model.
        source: Where the model is from.
        command: The command line that made the page.
    """
    record = diagnosis.record
    parts = zip(*(record[f"law.{name}"] for name in ("budget", "gradient_budget", "residual_budget")), strict=True)
    budget = [
        (one["layer"], " ".join(map(str, one["qubits"])), one["mechanism"], one["kappa"], a["kappa"], b["kappa"])
        for one, a, b in sorted(parts, key=lambda part: -abs(part[0]["kappa"]))
    ]
    names = ("layer", "qubits", "mechanism", "kappa", "by the gradient", "by the residual")
    notes = "".join(f"<li>{html.escape(text)}</li>" for text in record["warnings"])
    whole = html.escape(json.dumps(diagnosis.to_dict(), indent=2, allow_nan=False))
    return _page(
        source,
        command,
        f"<h1>{html.escape(source)}: {html.escape(record['verdict'])}</h1>{diagnosis._repr_html_()}"
        f"{rows_html('budget of kappa', names, budget, _MOST_TERMS)}<h2>Notes</h2><ul>{notes}</ul>"
        f"<details><summary>The whole record</summary><pre>{whole}</pre></details>",
    )


def run_page(run: RunDiagnosis, source: str, command: str) -> str:
    """The page of a run, likewise.

    Args:
        run: Diagnoses along it.
        source: Where the model is from.
        command: The command line that made the page.
    """
    points = "".join(f"<h2>point {number}</h2>{one._repr_html_()}" for number, one in enumerate(run.points))
    return _page(source, command, f"<h1>{html.escape(source)}: along a run</h1>{run._repr_html_()}{points}")


def _page(source: str, command: str, body: str) -> str:
    body += f"<p>Made by <code>{html.escape(command)}</code></p>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{html.escape(source)}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )
