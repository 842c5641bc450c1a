"""Runs the studies that test the coherence law, keeps what is finished, and collects tables, figures and verdicts."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equinoise.errors import EquinoiseError, ParameterError
from equinoise.evidence.frame.statistics import finite
from equinoise.evidence.frame.study import Context, Study
from equinoise.evidence.frame.study_files import duckdb, files_digest, write, write_table
from equinoise.text.table import Table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NEED_TABLES", "STUDIES", "ReproduceError", "StudySummary", "Summary", "reproduce"]

# name -> (module, question), in the order in which they are run and shown
STUDIES: dict[str, tuple[str, str]] = {
    "light-cone": ("causality", "Does the gradient depend on the number of qubits, or on the light cone alone?"),
    "training-law": (
        "training_law",
        "Does survival collapse onto x = s kappa, and how far does each form of the law reach?",
    ),
    "correlated-dephasing": ("correlated_dephasing", "Is it the aligned rate that counts, or the worst-case rate?"),
    "diagnostics": ("channel_diagnostics", "Which channel diagnostic predicts survival best?"),
    "fixed-point": ("fixed_points", "Can the fate of the gradient be read off the noise's fixed point?"),
    "certificate": ("certificate", "Do the two-sided bounds hold, and where do they stop holding?"),
    "rayleigh": ("rayleigh", "Do the Rayleigh quotients of the slots add up to kappa?"),
    "symmetric-or-not": (
        "symmetric.symmetric_or_not",
        "Where does symmetry protect gradients, and where does it make them fragile?",
    ),
    "symmetries": (
        "symmetric.symmetry_laws",
        "Does the law hold for every symmetry, and under which noise is each more fragile than none?",
    ),
    "replica": (
        "ensemble_average",
        "How does the variance really fall with depth and width, and what does noise leave of it?",
    ),
    "training": ("learning", "Does the law foretell who learns, with and without post-selection?"),
    "published": (
        "published.published_study",
        "Do the authors' published tables and the law agree, phase by phase, and where not, why?",
    ),
}

NEED_TABLES = frozenset({"published"})
"""Studies that hold the law against tables of others, in a folder that the user names."""

SCHEMA = "equinoise.reproduce/1"


class ReproduceError(EquinoiseError):
    """The output folder cannot be used."""


@dataclass(frozen=True)
class StudySummary:
    """One study's verdict.

    Attributes:
        name: Of the study.
        question: That it answers.
        passed: Whether every criterion holds.
        criteria: statement, value, threshold, at_least, passed of each.
        findings: Sentences.
        files: Paths relative to the output folder.
        seconds: Time it took when it was run.
        reused: Whether a finished run was found in the folder.
    """

    name: str
    question: str
    passed: bool
    criteria: tuple[dict[str, Any], ...]
    findings: tuple[str, ...]
    files: tuple[str, ...]
    seconds: float
    reused: bool


@dataclass(frozen=True)
class Summary:
    """All studies of one run.

    Attributes:
        studies: In order.
        folder: Where tables and figures are.
        quick: Whether the small set was run.
        seed: Of everything random.
    """

    studies: tuple[StudySummary, ...]
    folder: Path
    quick: bool
    seed: int

    @property
    def passed(self) -> bool:
        """Whether every criterion of every study holds."""
        return all(study.passed for study in self.studies)

    def criteria(self) -> Table:
        """Every criterion of every study: columns study, statement, value, threshold, at_least, passed."""
        names = ("statement", "value", "threshold", "at_least", "passed")
        return Table.from_rows(
            [{"study": s.name, **{n: c[n] for n in names}} for s in self.studies for c in s.criteria]
        )

    def _repr_html_(self) -> str:
        return self.criteria()._repr_html_()

    def to_dataframe(self) -> pd.DataFrame:
        """The criteria as a pandas frame.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        return self.criteria().to_dataframe()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as in summary.json."""
        return {
            "schema": SCHEMA,
            "passed": self.passed,
            "quick": self.quick,
            "seed": self.seed,
            "studies": {
                s.name: {
                    "question": s.question,
                    "passed": s.passed,
                    "criteria": list(s.criteria),
                    "findings": list(s.findings),
                    "files": list(s.files),
                    "seconds": round(s.seconds, 2),
                }
                for s in self.studies
            },
        }


def reproduce(
    out: str | Path,
    *,
    quick: bool = False,
    only: Sequence[str] | None = None,
    seed: int = 0,
    workers: int | None = None,
    tables: str | Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Summary:
    """Regenerates the claims of arXiv:2606.30688 and of this project's extensions: tables, figures, verdicts.

    A study that finished in the folder before, with the same seed, size and code, is not repeated. Each study's files
    appear in ``out/NAME/`` when it is finished, then ``summary.json`` and ``report.md`` are written.

    Args:
        out: Folder for the results; made if missing.
        quick: The small set, under a minute on two cores.
        only: Names of studies to run; all by default, those that need ``tables`` only where they are given.
        seed: Of everything random; the same seed gives the same tables whatever the number of workers.
        workers: Draws run at once; all processors by default.
        tables: Folder of the authors' published tables, for the study "published": a clone of their repository.
        progress: Called with (study, done, total).

    Returns:
        The summary; ``passed`` is False when any criterion failed.

    Raises:
        ParameterError: An unknown study.
        ReproduceError: The folder cannot be written.
        UnsupportedError: DuckDB (the ``studies`` extra) is not installed.
        TablesError: A study that needs ``tables`` was asked for without them, or they are not as published.
    """
    possible = [name for name in STUDIES if tables is not None or name not in NEED_TABLES]
    chosen = possible if only is None else list(dict.fromkeys(only))
    unknown = [name for name in chosen if name not in STUDIES]
    if unknown:
        raise ParameterError(f"no study {unknown[0]!r}; choose from: {', '.join(STUDIES)}.")
    duckdb()
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise ReproduceError(f"cannot use {str(folder)!r} as the output folder: {error}.") from None
    shared = {"quick": quick, "seed": seed, "code": _code_digest()}
    source = None if tables is None else Path(tables)
    theirs = {} if source is None else {"tables": files_digest(source, "*.csv")}
    keys = {name: {"name": name, **shared, **(theirs if name in NEED_TABLES else {})} for name in STUDIES}
    summaries: list[StudySummary] = []
    for name in chosen:
        key = keys[name]
        found = _finished(folder / name, key)
        if found is None:
            tick = None if progress is None else (lambda done, total, n=name: progress(n, done, total))
            found = _run(folder, name, key, Context(quick, seed, workers, tick, source))
        elif progress is not None:
            progress(name, 1, 1)
        summaries.append(found)
    for name in STUDIES:  # studies finished before stay in the summary
        other = None if name in chosen else _finished(folder / name, keys[name])
        if other is not None:
            summaries.append(other)
    summaries.sort(key=lambda one: list(STUDIES).index(one.name))
    summary = Summary(tuple(summaries), folder, quick, seed)
    write(folder / "summary.json", json.dumps(summary.to_dict(), indent=2, allow_nan=False) + "\n")
    write(folder / "report.md", markdown(summary))
    return summary


def _run(folder: Path, name: str, key: Mapping[str, Any], context: Context) -> StudySummary:
    module, question = STUDIES[name]
    start = time.perf_counter()
    home = folder / name
    try:
        home.mkdir(parents=True, exist_ok=True)
        # what is written below no longer belongs to an older run
        (home / "result.json").unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise ReproduceError(f"cannot use {str(home)!r} for the study's files: {error}.") from None
    study: Study = importlib.import_module(f"equinoise.evidence.{module}").STUDY
    result = study.run(context)
    files = []
    for table_name, table in result.tables.items():
        files += write_table(home / table_name, table)
    figure = result.plot()
    for suffix in ("pdf", "png"):
        # a fixed date keeps equal results equal to the byte
        metadata = {"CreationDate": None} if suffix == "pdf" else {"Software": None}
        figure.savefig(home / f"figure.{suffix}", dpi=150, metadata=metadata)
        files.append(f"figure.{suffix}")
    if result.page:
        write(home / "page.md", result.page)
        files.append("page.md")
    record = {
        "key": dict(key),
        "question": question,
        "passed": result.passed,
        "criteria": [{**asdict(c), "value": finite(c.value), "passed": c.passed} for c in result.criteria],
        "findings": list(result.findings),
        "files": [f"{name}/{file}" for file in files],
        "seconds": time.perf_counter() - start,
    }
    # written last: its presence says that the study is finished
    write(home / "result.json", json.dumps(record, indent=2, allow_nan=False) + "\n")
    return _summary(name, record, reused=False)


def _finished(home: Path, key: Mapping[str, Any]) -> StudySummary | None:
    try:
        record = json.loads((home / "result.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return None
    if not isinstance(record, dict) or record.get("key") != dict(key):
        return None
    if not all((home.parent / file).is_file() for file in record["files"]):
        return None
    return _summary(str(key["name"]), record, reused=True)


def _summary(name: str, record: Mapping[str, Any], reused: bool) -> StudySummary:
    return StudySummary(
        name=name,
        question=record["question"],
        passed=record["passed"],
        criteria=tuple(record["criteria"]),
        findings=tuple(record["findings"]),
        files=tuple(record["files"]),
        seconds=record["seconds"],
        reused=reused,
    )


def _code_digest() -> str:
    """A hash of the package's source: results of other code are not reused."""
    return files_digest(Path(__file__).resolve().parents[2], "*.py")


def markdown(summary: Summary) -> str:
    """The report page: per study its question, criteria, findings and figure."""
    size = "quick set" if summary.quick else "full set"
    lines = [
        "# The coherence law, reproduced",
        "",
        f"{size}, seed {summary.seed}: {'every criterion holds' if summary.passed else 'some criteria FAILED'}.",
    ]
    for study in summary.studies:
        lines += ["", f"## {study.name}", "", study.question, "", "| criterion | found | held against | holds |"]
        lines.append("|---|---|---|---|")
        for c in study.criteria:
            value = "-" if c["value"] is None else f"{c['value']:.4g}"
            sign = ">=" if c["at_least"] else "<="
            statement, held = c["statement"].replace("|", "&#124;"), "yes" if c["passed"] else "NO"
            lines.append(f"| {statement} | {value} | {sign} {c['threshold']:.4g} | {held} |")
        lines += ["", *(f"- {finding}" for finding in study.findings)]
        lines += ["", f"![{study.name}]({study.name}/figure.png)"]
    return "\n".join(lines) + "\n"
