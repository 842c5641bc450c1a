"""The scaling figure, drawn from its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from benchmarks.scaling_point import Method

__all__ = ["draw"]

MIB = 2**20
# Okabe and Ito, told apart by colour-blind readers; like problems have like colours, other programs broken lines
STYLES = {
    "exact": ("#0072B2", "o"),
    "exact-device": ("#F0E442", "o"),
    "trajectories": ("#56B4E9", "s"),
    "state-vector": ("#D55E00", "o"),
    "state-vector-law": ("#E69F00", "s"),
    "free-fermion": ("#009E73", "D"),
    "tensorcircuit": ("#0072B2", "^"),
    "lightning": ("#D55E00", "^"),
    "tencirpauli": ("#CC79A7", "v"),
    "tensorcircuit-u1": ("#000000", "P"),
}
# the interacting circuit's cone at the depth of the width sweep: 8 half layers, each one bond to either side
CONE = 16
TICKS = (6, 8, 12, 16, 24, 32, 64, 128, 256, 512, 1024)


def draw(rows: Sequence[Mapping[str, Any]], methods: Mapping[str, Method], path: Path) -> None:
    """Four panels: seconds and peak memory, against width and against depth.

    Args:
        rows: The table, as numbers or as read from its file.
        methods: Labels and units by name.
        path: Of the image.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        2, 2, figsize=(12.5, 8.6), sharex="col", sharey="row", width_ratios=(1.6, 1), layout="constrained"
    )
    sweeps = (("width", "width"), ("depth", "double_layers"))
    quantities = (("seconds", 1.0, "seconds per gradient"), ("peak_bytes", MIB, "peak memory of the process"))
    for column, (sweep, variable) in enumerate(sweeps):
        here = [row for row in rows if row["sweep"] == sweep]
        for line, (quantity, unit, words) in enumerate(quantities):
            panel = axes[line, column]
            for name, method in methods.items():
                _curve(panel, [row for row in here if row["method"] == name], name, method, variable, quantity, unit)
            panel.set_xscale("log", base=2)
            panel.set_yscale("log")
            panel.grid(visible=True, which="major", color="#E4E4E4", linewidth=0.8)
            panel.set_axisbelow(True)
            for side in ("top", "right"):
                panel.spines[side].set_visible(False)
            if column == 0:
                panel.set_ylabel(words)
            if quantity == "peak_bytes":
                panel.set_yscale("log", base=2)
                sizes = [2**k for k in range(5, 16)]
                panel.set_yticks(sizes, [f"{size} MiB" if size < 1024 else f"{size // 1024} GiB" for size in sizes])
                most = max((float(row[quantity]) for row in rows if row["status"] == "measured"), default=unit) / unit
                panel.set_ylim(96, 1.5 * max(most, 512))
            values = sorted({int(row[variable]) for row in here if row["status"] == "measured"})
            ticks = [v for v in values if variable != "width" or v in TICKS or values[-1] < 16]
            panel.set_xticks(ticks, [str(v) for v in ticks])
            panel.minorticks_off()
            if sweep == "width" and values and values[-1] > CONE:
                panel.axvline(CONE, color="#666666", linewidth=0.8, linestyle=":")
                if line == 0 and values[-1] > 4 * CONE:
                    words_on = f"{CONE} qubits: the cone of one Z,\nfor which equinoise looks first"
                    panel.text(0.5, 0.97, words_on, transform=panel.transAxes, va="top", color="#666666", fontsize=9)
    axes[0, 0].set_title("4 double layers", fontsize=11)
    axes[0, 1].set_title("10 qubits", fontsize=11)
    axes[1, 0].set_xlabel("qubits")
    axes[1, 1].set_xlabel("double layers")
    handles, labels = _legend(axes)
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.suptitle("One gradient, each point in a fresh process", fontsize=12)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _curve(
    panel: Axes,
    rows: Sequence[Mapping[str, Any]],
    name: str,
    method: Method,
    variable: str,
    quantity: str,
    unit: float,
) -> None:
    measured = [row for row in rows if row["status"] == "measured"]
    if not measured:
        return
    colour, marker = STYLES[name]
    x = [int(row[variable]) for row in measured]
    y = [float(row[quantity]) / unit for row in measured]
    panel.plot(
        x,
        y,
        color=colour,
        marker=marker,
        markersize=5,
        linewidth=1.4,
        linestyle="--" if method.peer else "-",
        markerfacecolor="white" if method.peer else colour,
        label=method.label,
    )
    if len(measured) < len(rows):
        # the next size did not run: the table says why
        panel.plot(x[-1:], y[-1:], color=colour, marker="x", markersize=11, markeredgewidth=1.8, linestyle="none")


def _legend(axes: Any) -> tuple[list[Any], list[str]]:
    from matplotlib.lines import Line2D

    every = [pair for panel in axes.flat for pair in zip(*panel.get_legend_handles_labels(), strict=True)]
    found = {label: handle for handle, label in every}
    end = Line2D([], [], color="#666666", marker="x", markersize=9, markeredgewidth=1.8, linestyle="none")
    found["next size: out of memory, out of time or refused"] = end
    return list(found.values()), list(found)
