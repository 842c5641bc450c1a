"""The figure of a diagnosis and the tables it is drawn from: survival, coherence spectrum, and kappa's budget."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from equinoise.coherence.law_record import budget_of
from equinoise.coherence.quantity import Record
from equinoise.diagnosis.diagnose import Diagnosis
from equinoise.diagnosis.survival_curve import BLUE, GREY, draw_survival, survival_table
from equinoise.report.files import OutputError, write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "FORMATS",
    "BudgetGrid",
    "SpectrumTable",
    "budget_grid",
    "check_figure",
    "plot_diagnosis",
    "spectrum_table",
]

Real = npt.NDArray[np.float64]

FORMATS = (".pdf", ".png", ".svg")

_PALE = "#E4E4E4"
_MOST_TICKS = 16


@dataclass(frozen=True)
class SpectrumTable:
    """The coherence spectrum, and the bounds on survival that all known values allow.

    Attributes:
        rates: Total decay rates of one measure that fits, ascending, shape (a,).
        weights: Shares of the squared gradient, shape (a,).
        scale: Noise scales of the bounds, ascending, shape (m,).
        lower: Lower bound on R, shape (m,).
        upper: Upper bound on R, shape (m,).
        status: Whether the bounds are proved, in words.
    """

    rates: Real
    weights: Real
    scale: Real
    lower: Real
    upper: Real
    status: str


def spectrum_table(diagnosis: Diagnosis, points: int = 25) -> SpectrumTable | None:
    """The coherence spectrum with its bounds on the scales of :func:`survival_table`; None where there is none.

    Args:
        diagnosis: The diagnosis.
        points: Scales of the bounds, evenly spaced in their logarithm; two linear programs each.
    """
    spectrum = diagnosis.law.spectrum
    if spectrum is None:
        return None
    ends = survival_table(diagnosis.record, 2).scale
    scale = np.geomspace(ends[0], ends[1], points)
    lower, upper = spectrum.bounds(scale)
    measure = spectrum.measure
    return SpectrumTable(measure.rates, measure.weights, scale, lower, upper, spectrum.status)


@dataclass(frozen=True)
class BudgetGrid:
    """kappa by qubit and layer; a term on several qubits is split evenly over them.

    Attributes:
        qubits: Circuit qubits of the rows (the light cone), shape (w,).
        layers: Layers of the columns, shape (L,).
        kappa: Parts of kappa, shape (w, L); they sum to kappa.
        seen: Whether the readout sees any noise there, shape (w, L).
    """

    qubits: tuple[int, ...]
    layers: tuple[int, ...]
    kappa: Real
    seen: npt.NDArray[np.bool_]


def budget_grid(record: Record) -> BudgetGrid:
    """Kappa by qubit and layer, as drawn."""
    qubits = tuple(record["light_cone.qubits"])
    layers = tuple(range(record["layers.count"]))
    row = {qubit: i for i, qubit in enumerate(qubits)}
    grid = np.zeros((len(qubits), len(layers)))
    seen = np.zeros(grid.shape, dtype=np.bool_)
    for entry in budget_of(record):
        for qubit in entry.qubits:
            grid[row[qubit], entry.layer] += entry.kappa / len(entry.qubits)
            seen[row[qubit], entry.layer] = True
    return BudgetGrid(qubits, layers, grid, seen)


def check_figure(path: str | Path) -> str:
    """The format that a file name's suffix asks for.

    Raises:
        OutputError: No suffix, or one of a format that is not drawn.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise OutputError(
            f"no figure format {suffix!r} for {str(path)!r}; end the name in one of: {', '.join(FORMATS)}."
        )
    return suffix[1:]


def plot_diagnosis(diagnosis: Diagnosis, path: str | Path) -> None:
    """Draw a diagnosis: survival against noise scale, the spectrum of rates, and where kappa comes from.

    Args:
        diagnosis: The diagnosis.
        path: A .png, .pdf or .svg file; it is replaced whole.

    Raises:
        OutputError: An unknown suffix, or the file cannot be written.
    """
    kind = check_figure(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15.0, 5.4))
    axes = figure.subplots(1, 3, gridspec_kw={"width_ratios": (1.2, 0.6, 1.0)})
    record, spectrum = diagnosis.record, spectrum_table(diagnosis)
    _draw_survival(axes[0], record, spectrum)
    _draw_spectrum(axes[1], spectrum)
    _draw_budget(figure, axes[2], record.number("law.kappa"), budget_grid(record))
    figure.suptitle(
        f"readout {_shorten(record['readout.label'], 36)},  noise {_shorten(record['noise.name'], 60)}:  "
        f"{record['verdict']}",
        fontsize=13,
        fontweight="bold",
        parse_math=False,  # the names are the user's: a $ in one is a dollar
    )
    figure.subplots_adjust(left=0.055, right=0.975, top=0.86, bottom=0.19, wspace=0.22)
    figure.text(
        0.055,
        0.03,
        f"Averages over {record['samples']} draws of the parameters: {record['ensemble']}.  "
        "Middle: one measure over rates that fits all known V(s); others may fit as well.\n"
        "Right: two-qubit terms are split evenly over their two qubits, correlated ones over all of theirs; "
        "grey: no noise there that the readout sees.",
        fontsize=8.5,
        color=GREY,
        va="bottom",
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=160)
    write_whole(path, buffer.getvalue())


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _draw_survival(axes: Axes, record: Record, spectrum: SpectrumTable | None) -> None:
    if spectrum is not None:
        for bound, label in ((spectrum.lower, f"from the spectrum, {spectrum.status}"), (spectrum.upper, None)):
            axes.plot(spectrum.scale, bound, color=GREY, linewidth=1.0, label=label)
    draw_survival(axes, survival_table(record))
    scale = record.number("scale")
    if 0 < scale < math.inf:
        axes.axvline(scale, color=GREY, linewidth=0.9, linestyle=":", zorder=0)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("noise scale s  (1 = the stated noise)")
    axes.set_ylabel(r"survival  $R(s)=\sqrt{V(s)/V(0)}$")
    share, spread = (_small(record.number(f"law.{name}")) for name in ("fixed_point_share", "rate_variance"))
    axes.set_title(
        rf"$\kappa$ = {record.number('law.kappa'):.3g},   $w_0$ = {share} ({record['law.fixed_point_class']}),   "
        rf"$c_2$ = {spread}",
        fontsize=10.5,
    )
    axes.grid(True, color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)


def _draw_spectrum(axes: Axes, table: SpectrumTable | None) -> None:
    axes.set_title("spectrum of rates", fontsize=10.5)
    axes.set_xlabel(r"total decay rate $\Gamma$")
    axes.set_ylabel(r"share of $V(0)$")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(0, 1.05)
    if table is None:
        axes.text(0.5, 0.5, "unknown: one draw, or no gradient", ha="center", va="center", transform=axes.transAxes)
        return
    widest = float(table.rates.max(initial=0.0)) or 1.0
    axes.vlines(table.rates, 0, table.weights, color=BLUE, linewidth=2.2)
    axes.plot(table.rates, table.weights, "o", color=BLUE, markersize=5)
    axes.set_xlim(-0.06 * widest, 1.06 * widest)


def _small(value: float) -> str:
    return "0" if abs(value) < 1e-6 else f"{value:.3g}"


def _draw_budget(figure: Figure, axes: Axes, kappa: float, grid: BudgetGrid) -> None:
    values = grid.kappa
    low, high = min(0.0, float(values.min(initial=0.0))), float(values.max(initial=0.0))
    if low > -1e-3 * high:
        low = 0.0
    mesh = axes.pcolormesh(
        np.arange(len(grid.layers) + 1) - 0.5,
        np.arange(len(grid.qubits) + 1) - 0.5,
        np.where(grid.seen, values, np.nan),
        cmap="viridis",
        vmin=low,
        vmax=high if high > low else low + 1.0,
        edgecolors="white",
        linewidth=0.8 if values.size <= 600 else 0.0,
        rasterized=values.size > 2000,
    )
    axes.set_facecolor(_PALE)
    bar = figure.colorbar(mesh, ax=axes, pad=0.02)
    bar.set_label("kappa")
    bar.outline.set_visible(False)
    _ticks(axes, "x", grid.layers)
    _ticks(axes, "y", grid.qubits)
    axes.set_xlabel("layer")
    axes.set_ylabel("circuit qubit")
    axes.set_title(rf"where $\kappa$ = {kappa:.3g} comes from", fontsize=10.5)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if not np.any(np.abs(values) > 1e-12):
        axes.text(
            0.5, 0.5, "no noise costs any gradient", color="black", ha="center", va="center", transform=axes.transAxes
        )


def _ticks(axes: Axes, which: str, labels: tuple[int, ...]) -> None:
    step = max(1, math.ceil(len(labels) / _MOST_TICKS))
    places = range(0, len(labels), step)
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_ticks(list(places), [str(labels[i]) for i in places])
