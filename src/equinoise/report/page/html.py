"""One self-contained page of diagnoses: figures, a ranking that sorts and filters, and where the numbers come from.

The page asks the network for nothing: its Content-Security-Policy allows only the scripts it carries, by their hashes.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import platform
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata, resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from equinoise.errors import EquinoiseError
from equinoise.report.files import check_target, write_whole
from equinoise.report.page.page_data import page_data
from equinoise.report.page.page_tables import bound_words, ranked
from equinoise.report.page.results import Results, results_of
from equinoise.text.numbers import interval, number, plural, whole

if TYPE_CHECKING:
    from equinoise.diagnosis.diagnose import Diagnosis

__all__ = ["ReportError", "diagnosis_page", "page", "write_diagnosis_page", "write_page"]

MOST_ROWS = 5000
_MOST_FAILED = 50
_MOST_NOTES = 40
_MOST_NOISE = 12
_MOST_LINES = 400
_NOISE_CLASS = {
    "none": "nothing that the readout sees",
    "strong": "strongly symmetric: every jump commutes with the symmetry",
    "weak": "weakly symmetric: moves weight between sectors, makes no coherence between them",
    "broken": "breaks the symmetry: makes coherences between sectors",
}
_PACKAGES = ("equinoise", "numpy", "scipy", "numba", "qiskit", "duckdb", "plotly")


class ReportError(EquinoiseError):
    """A page cannot be made."""


def write_page(results: Results, path: str | Path, title: str | None = None, command: str | None = None) -> int:
    """Write the page of a store's results; the file is replaced whole.

    Args:
        results: From :func:`equinoise.report.page.results.read_results`.
        path: Where to.
        title: Of the page; by default its origin.
        command: The command line that made it, for the provenance.

    Returns:
        The page's size in bytes.

    Raises:
        ReportError: plotly is missing.
        OutputError: The file cannot be written.
    """
    text = page(results, title, command).encode()
    write_whole(check_target(path, "the page"), text)
    return len(text)


def write_diagnosis_page(
    diagnosis: Diagnosis, path: str | Path, source: str | None = None, command: str | None = None
) -> int:
    """Write the page of one diagnosis; arguments and errors as in :func:`write_page`.

    Args:
        diagnosis: The diagnosis.
        path: Where to.
        source: What the circuit is called.
        command: The command line that made it.
    """
    text = diagnosis_page(diagnosis, source, command).encode()
    write_whole(check_target(path, "the page"), text)
    return len(text)


def diagnosis_page(diagnosis: Diagnosis, source: str | None = None, command: str | None = None) -> str:
    """The page of one diagnosis, as text."""
    results = results_of(diagnosis, source)
    name = Path(str(results.rows[0]["source"])).name
    return page(results, f"{name}: {diagnosis.verdict.word}", command)


def page(results: Results, title: str | None = None, command: str | None = None) -> str:
    """The page as text.

    Args:
        results: What it shows. Of more than 5,000 rows the first 5,000 of the ranking are listed; the figures over all
            rows are drawn from all.
        title: Of the page.
        command: The command line that made it.

    Raises:
        ReportError: plotly is missing.
    """
    rows = ranked(results)
    listed = rows[:MOST_ROWS]
    packed = base64.b64encode(gzip.compress(_json(page_data(results, rows, listed)).encode(), 6, mtime=0)).decode()
    scripts = {"plotly": _plotly(), "script": _asset("drawing.js") + _asset("report.js")}
    hashes = " ".join(f"'sha256-{_digest(text)}'" for text in scripts.values())
    heading = title or f"Surviving gradients: {results.origin}"
    single = len(results.rows) == 1 and not results.failed
    return Template(_asset("report.html")).substitute(
        csp=f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'",
        title=_shown(html.escape(heading)),
        style=_asset("report.css"),
        summary=_shown(_summary(results, rows, len(listed))),
        kind="single" if single else "many",
        failed=_shown(_failed(results.failed)),
        provenance=_shown(_provenance(results, command)),
        noise=_shown(_noise(results)),
        data=packed,
        **scripts,
    )


# of ASCII and Latin-1, all but tab and line ends; none is allowed in HTML, and a terminal would obey some of them
_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160)], "\N{REPLACEMENT CHARACTER}")


def _shown(text: str) -> str:
    """Names in a store may hold anything: control characters are shown as such and not written."""
    return text.translate(_CONTROLS)


def _json(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), allow_nan=False)


def _asset(name: str) -> str:
    return (resources.files("equinoise.report.page") / "assets" / name).read_text(encoding="utf-8")


def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise ReportError(
            'a page needs the package plotly, which is missing. Run: pip install "equinoise[studies]"'
        ) from None
    # an end tag inside a string literal would end the script
    return str(get_plotlyjs()).replace("</script", "<\\/script")


def _digest(text: str) -> str:
    # browsers read line ends as \n before they hash
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return base64.b64encode(hashlib.sha256(plain.encode()).digest()).decode()


# -- what is written without a script ------------------------------------------------------------------------------


def _summary(results: Results, rows: Sequence[Mapping[str, Any]], listed: int) -> str:
    if len(results.rows) == 1 and not results.failed:
        return _answers(results.rows[0])
    counts = Counter(str(row.get("verdict") or "no verdict") for row in rows)
    parts = [f"<strong>{plural(len(rows), 'design')}</strong> diagnosed"]
    if results.failed:
        parts.append(f"{plural(len(results.failed), 'task')} failed, see below")
    told = [f"<li><b>{count:,}</b> {html.escape(word)}</li>" for word, count in counts.most_common()]
    more = "" if listed == len(rows) else f" The ranking lists the first {listed:,}; the other figures are of all."
    return f'<p>{"; ".join(parts)}.{more}</p><ul class="counts">{"".join(told)}</ul>'


def _answers(row: Mapping[str, Any]) -> str:
    survival = (
        f"{_told(row['survival'])} {_range(row, 'survival')} of the RMS gradient at scale s = {_told(row['scale'])}"
    )
    low, high = row.get("lower_bound"), row.get("upper_bound")
    span = "" if low is None else f"{_told(low)} to {_told(high)}, "
    facts = {
        "Verdict": f"{row['verdict']}: {row.get('verdict_reason') or ''}",
        "Circuit": f"{row['source']}: {plural(row['num_qubits'], 'qubit')}, {plural(row['depth'], 'layer')}; "
        f"light cone of {row.get('width')} qubits, {row.get('parameters')} parameters",
        "Readout": f"{row['readout']}, input {row.get('initial')}",
        "Noise": f"{row['noise']} ({_NOISE_CLASS.get(str(row.get('noise_class')), 'symmetry class unknown')})",
        "Without noise": f"RMS gradient {_told(row.get('noiseless_rms'))} {_range(row, 'noiseless')} per radian",
        "kappa": f"{_told(row['kappa'])} {_range(row, 'kappa')}, dimensionless rate of decay in s",
        "w0": f"{_told(row.get('fixed_point_share'))} of the squared gradient lasts; fixed point: "
        f"{row.get('fixed_point_class')}",
        "Survives": survival,
        "Bounds": span + bound_words(row),
        "Shots": f"{_shots(row.get('shots_per_gradient'))} per expectation value for signal-to-noise 1",
    }
    body = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in facts.items())
    advice = row.get("advice") or ()
    helps = f"<h3>What would help most</h3>{_list(advice)}" if advice else ""
    return f'<dl class="facts">{body}</dl>{helps}'


def _told(value: Any) -> str:
    return "unknown" if value is None else number(float(value))


def _shots(value: Any) -> str:
    return "infinitely many" if value is None else whole(float(value))


def _range(row: Mapping[str, Any], name: str) -> str:
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    return "" if low is None or high is None else interval((float(low), float(high)))


def _list(texts: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(text)}</li>" for text in texts) + "</ul>"


def _failed(failed: Sequence[Mapping[str, Any]]) -> str:
    if not failed:
        return ""
    names = ("source", "readout", "noise", "depth", "scale", "error")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape('' if r.get(n) is None else str(r[n]))}</td>" for n in names) + "</tr>"
        for r in failed[:_MOST_FAILED]
    )
    rest = f"<p>and {len(failed) - _MOST_FAILED:,} more in the store.</p>" if len(failed) > _MOST_FAILED else ""
    return (
        f'<section id="failed"><h2>Failed tasks ({len(failed):,})</h2><div class="scroll" tabindex="0" role="region" '
        f'aria-label="Failed tasks"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{rest}'
        "</section>"
    )


def _provenance(results: Results, command: str | None) -> str:
    rows = results.rows
    versions = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    facts = {
        "Made by": command or "equinoise, from Python",
        "Data": results.origin,
        "Page written with": f"{versions}; Python {platform.python_version()} on {sys.platform}",
    }
    facts |= {f"Store: {name}": str(value) for name, value in results.meta.items()}
    for label, name in (
        ("Computed with", "version"),
        ("Engine", "engine"),
        ("Seeds", "seed"),
        ("Draws of the parameters", "samples"),
        ("Ensemble (angles in radians)", "ensemble"),
        ("Loss of the models", "loss"),
        ("Prior of their weights (angles in radians)", "prior"),
        ("Shots per expectation value", "shots"),
        ("Survival", "survival_kind"),
    ):
        told = _tally(row.get(name) for row in rows)
        if told:
            facts[label] = told
    reasons = {str(r["engine_reason"]) for r in rows if r.get("engine_reason")}
    if len(reasons) == 1:
        facts["Engine chosen because"] = reasons.pop()
    body = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in facts.items())
    approximated = _counted(rows, "approximations", "Approximations: none, every draw is exact.")
    clipped = _counted(rows, "warnings", "Nothing was clipped, dropped or assumed.", leave_out="approximations")
    return (
        f'<dl class="facts">{body}</dl><h3>What was approximated</h3>{approximated}'
        f"<h3>What was clipped, dropped, chosen or assumed</h3>{clipped}"
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _tally(values: Iterable[Any]) -> str:
    counts = Counter(f"{v:g}" if isinstance(v, float) else str(v) for v in values if v is not None)
    if len(counts) > 8:
        known = sorted(counts, key=lambda text: (len(text), text))
        return f"{len(counts):,} different, {known[0]} to {known[-1]}"
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{text} ({count:,})" for text, count in counts.most_common())


def _counted(rows: Sequence[Mapping[str, Any]], name: str, nothing: str, leave_out: str | None = None) -> str:
    known = Counter(
        text
        for row in rows
        for text in row.get(name) or ()
        if leave_out is None or text not in (row.get(leave_out) or ())
    )
    if not known:
        return f"<p>{html.escape(nothing)}</p>"
    one = len(rows) == 1
    told = [text if one else f"{text} ({plural(count, 'design')})" for text, count in known.most_common(_MOST_NOTES)]
    rest = [f"and {len(known) - _MOST_NOTES} other notes; the store holds them all"] if len(known) > _MOST_NOTES else []
    return _list([*told, *rest])


def _noise(results: Results) -> str:
    """What is applied, term by term, of each noise: two noises of one name are two."""
    told = Counter((str(row["noise"]), str(row.get("noise_terms") or "not recorded")) for row in results.rows)
    out = []
    for (name, terms), count in told.most_common(_MOST_NOISE):
        lines = terms.splitlines()
        if len(lines) > _MOST_LINES:
            lines = [
                *lines[:_MOST_LINES],
                f"... and {len(lines) - _MOST_LINES} more lines; NoiseModel.describe tells every term",
            ]
        used = "" if len(results.rows) == 1 else f" ({plural(count, 'design')})"
        opened = " open" if len(told) <= 2 and len(lines) <= 30 else ""
        out.append(
            f"<details{opened}><summary>{html.escape(name)}{used}</summary><pre>{html.escape(chr(10).join(lines))}</pre>"
            "</details>"
        )
    if len(told) > _MOST_NOISE:
        out.append(f"<p>and {len(told) - _MOST_NOISE} other noises.</p>")
    return "".join(out)
