"""The figure of a diagnosis and the tables it is drawn from: survival, coherence spectrum, and kappa's budget."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from equinoise.diagnosis.diagnose import Diagnosis
from equinoise.report.files import OutputError, write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "FORMATS",
    "BudgetGrid",
    "SpectrumTable",
    "SurvivalTable",
    "budget_grid",
    "check_figure",
    "plot_diagnosis",
    "spectrum_table",
    "survival_table",
]

Real = npt.NDArray[np.float64]

FORMATS = (".pdf", ".png", ".svg")

# Okabe and Ito's palette, told apart by colour-blind readers
_BLUE, _VERMILION, _SKY, _GREY, _PALE = "#0072B2", "#D55E00", "#56B4E9", "#666666", "#E4E4E4"
_MOST_TICKS = 16


@dataclass(frozen=True)
class SurvivalTable:
    """Survival R against noise scale s: the law on a grid, and what the noisy simulation gave.

    Attributes:
        scale: Noise scales of the law, ascending, shape (m,).
        law: Resummed law, shape (m,).
        leading_order: exp(-s kappa), shape (m,).
        lower: Lower bound, shape (m,); NaN where there is none.
        upper: Upper bound, likewise.
        bound_status: What the bounds are worth, in words.
        simulated_scale: Scales of the simulated points, ascending, shape (p,).
        simulated: Simulated survival, shape (p,).
        simulated_low: Lower end of the 95 % interval, shape (p,); NaN where none was computed.
        simulated_high: Upper end, shape (p,).
        samples: Draws behind the simulated points.
        sampled: Whether the points are from trajectories; else each draw is exact.
    """

    scale: Real
    law: Real
    leading_order: Real
    lower: Real
    upper: Real
    bound_status: str
    simulated_scale: Real
    simulated: Real
    simulated_low: Real
    simulated_high: Real
    samples: int
    sampled: bool


def survival_table(diagnosis: Diagnosis, points: int = 161) -> SurvivalTable:
    """Survival against noise scale, as drawn.

    The law's grid spans 1.5 decades to both sides of the diagnosed scale (of 1 if that is 0 or infinite), and more
    where the gradient dies elsewhere: up to s kappa = 3, down to s kappa = 0.1.

    Args:
        diagnosis: The diagnosis.
        points: Scales on the law's grid, evenly spaced in their logarithm.
    """
    centre = diagnosis.scale if 0 < diagnosis.scale < math.inf else 1.0
    low, high = -1.5, 1.5
    if diagnosis.law.kappa > 1e-9:
        lost = -math.log10(diagnosis.law.kappa * centre)
        low, high = max(-4.0, min(low, lost - 1.0)), min(4.0, max(high, lost + math.log10(3.0)))
    scale = centre * np.logspace(low, high, points)
    lower, upper = diagnosis.law.bounds(scale)
    nan = math.nan
    found = [(p.scale, p.survival, nan, nan) for p in diagnosis.curve]
    if 0 < diagnosis.scale < math.inf:
        low, high = diagnosis.simulated.interval
        found.append((diagnosis.scale, diagnosis.simulated.survival, low, high))
    kept = [row for row in sorted(found) if math.isfinite(row[1])]
    columns = np.array(kept, dtype=np.float64).reshape(-1, 4).T
    columns[2:4] = np.where(np.isfinite(columns[2:4]), columns[2:4], nan)
    return SurvivalTable(
        scale=scale,
        law=diagnosis.law.survival(scale),
        leading_order=diagnosis.law.leading_order(scale),
        lower=lower,
        upper=upper,
        bound_status=diagnosis.law.bound_status,
        simulated_scale=columns[0],
        simulated=columns[1],
        simulated_low=columns[2],
        simulated_high=columns[3],
        samples=diagnosis.samples,
        sampled=diagnosis.simulated.sampled,
    )


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
    ends = survival_table(diagnosis, 2).scale
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


def budget_grid(diagnosis: Diagnosis) -> BudgetGrid:
    """Kappa by qubit and layer, as drawn."""
    qubits = tuple(diagnosis.light_cone["qubits"])
    layers = tuple(range(len(diagnosis.problem.layers)))
    row = {qubit: i for i, qubit in enumerate(qubits)}
    grid = np.zeros((len(qubits), len(layers)))
    seen = np.zeros(grid.shape, dtype=np.bool_)
    for entry in diagnosis.law.budget:
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
    spectrum = spectrum_table(diagnosis)
    _draw_survival(axes[0], diagnosis, survival_table(diagnosis), spectrum)
    _draw_spectrum(axes[1], spectrum)
    _draw_budget(figure, axes[2], diagnosis, budget_grid(diagnosis))
    problem = diagnosis.problem
    figure.suptitle(
        f"readout {_shorten(problem.readout_label, 36)},  noise {_shorten(problem.noise.name, 60)}:  "
        f"{diagnosis.verdict.word}",
        fontsize=13,
        fontweight="bold",
        parse_math=False,  # the names are the user's: a $ in one is a dollar
    )
    figure.subplots_adjust(left=0.055, right=0.975, top=0.86, bottom=0.19, wspace=0.22)
    figure.text(
        0.055,
        0.03,
        f"Averages over {diagnosis.samples} draws of the parameters: {diagnosis.law.ensemble}.  "
        "Middle: one measure over rates that fits all known V(s); others may fit as well.\n"
        "Right: two-qubit terms are split evenly over their two qubits, correlated ones over all of theirs; "
        "grey: no noise there that the readout sees.",
        fontsize=8.5,
        color=_GREY,
        va="bottom",
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=160)
    write_whole(path, buffer.getvalue())


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _draw_survival(axes: Axes, diagnosis: Diagnosis, table: SurvivalTable, spectrum: SpectrumTable | None) -> None:
    law = diagnosis.law
    axes.fill_between(
        table.scale,
        table.lower,
        table.upper,
        color=_SKY,
        alpha=0.28,
        linewidth=0,
        label=f"bounds: {table.bound_status}",
    )
    if spectrum is not None:
        for bound, label in ((spectrum.lower, f"from the spectrum, {spectrum.status}"), (spectrum.upper, None)):
            axes.plot(spectrum.scale, bound, color=_GREY, linewidth=1.0, label=label)
    axes.plot(table.scale, table.law, color=_BLUE, linewidth=2.2, label="law (resummed)")
    axes.plot(
        table.scale,
        table.leading_order,
        color=_VERMILION,
        linewidth=1.6,
        linestyle=(0, (5, 2)),
        label=r"leading order $e^{-s\kappa}$",
    )
    if table.simulated.size:
        low = np.nan_to_num(np.clip(table.simulated - table.simulated_low, 0, None))
        high = np.nan_to_num(np.clip(table.simulated_high - table.simulated, 0, None))
        axes.errorbar(
            table.simulated_scale,
            table.simulated,
            yerr=np.stack([low, high]),
            fmt="o",
            color="black",
            markersize=5.5,
            capsize=3,
            linewidth=1.2,
            zorder=5,
            label=f"{'trajectories' if table.sampled else 'exact simulation'} ({table.samples} draws)",
        )
    if 0 < diagnosis.scale < math.inf:
        axes.axvline(diagnosis.scale, color=_GREY, linewidth=0.9, linestyle=":", zorder=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlim(table.scale[0], table.scale[-1])
    highest = max([1.0, float(np.nanmax(table.law)), *(table.simulated.tolist())])
    axes.set_ylim(0, 1.06 * min(highest, 4.0))
    axes.set_xlabel("noise scale s  (1 = the stated noise)")
    axes.set_ylabel(r"survival  $R(s)=\sqrt{V(s)/V(0)}$")
    axes.set_title(
        rf"$\kappa$ = {law.kappa:.3g},   $w_0$ = {_small(law.fixed_point_share)} ({law.fixed_point.kind}),   "
        rf"$c_2$ = {_small(law.rate_variance)}",
        fontsize=10.5,
    )
    axes.grid(True, color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="lower left")


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
    axes.vlines(table.rates, 0, table.weights, color=_BLUE, linewidth=2.2)
    axes.plot(table.rates, table.weights, "o", color=_BLUE, markersize=5)
    axes.set_xlim(-0.06 * widest, 1.06 * widest)


def _small(value: float) -> str:
    return "0" if abs(value) < 1e-6 else f"{value:.3g}"


def _draw_budget(figure: Figure, axes: Axes, diagnosis: Diagnosis, grid: BudgetGrid) -> None:
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
    axes.set_title(rf"where $\kappa$ = {diagnosis.law.kappa:.3g} comes from", fontsize=10.5)
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
