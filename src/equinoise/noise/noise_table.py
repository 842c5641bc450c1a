"""A noise model as a table of its terms, and what is drawn from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from equinoise.errors import NoiseError
from equinoise.noise.phase_modes import PhaseModes
from equinoise.noise.terms import KINDS, NoiseTerm
from equinoise.text.notebook import facts_html, rows_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Placeable", "noise_columns", "noise_html", "noise_lines", "plot_noise"]

# Okabe and Ito's palette, told apart by colour-blind readers; hatches for print
_STYLES = (
    ("#0072B2", ""),
    ("#D55E00", "//"),
    ("#009E73", ".."),
    ("#CC79A7", "xx"),
    ("#E69F00", "++"),
    ("#56B4E9", "oo"),
)


class Placeable(Protocol):
    """A noise model, as far as it is shown."""

    @property
    def terms(self) -> tuple[NoiseTerm, ...]:
        """Its terms."""

    @property
    def phases(self) -> tuple[PhaseModes, ...]:
        """Gaussian phases given as such."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was clipped or left out."""

    @property
    def name(self) -> str:
        """What to call it."""

    @property
    def calibration(self) -> Any:
        """A device, or None."""

    @property
    def readout_error(self) -> tuple[tuple[int, tuple[float, float]], ...]:
        """Assignment errors."""

    def placed(self, circuit: Any) -> tuple[Any, Any]:
        """Slots and processes."""


def noise_columns(model: Placeable, circuit: Any = None) -> dict[str, list[Any]]:
    """The terms as columns, in the order in which they act.

    Args:
        model: The model.
        circuit: A circuit or :class:`equinoise.Problem`: the terms are then those of its slots, wildcards expanded.

    Returns:
        layer (None without a circuit), mechanism, qubits ("0 3", empty for a wildcard), rate (dimensionless, per slot;
        down + up for relaxation), term (in words).
    """
    found = [(None, term, term.describe()) for term in model.terms] if circuit is None else _placed(model, circuit)
    return {
        "layer": [layer for layer, _, _ in found],
        "mechanism": [term.kind for _, term, _ in found],
        "qubits": [" ".join(map(str, term.sites)) for _, term, _ in found],
        "rate": [term.strength for _, term, _ in found],
        "term": [text for _, _, text in found],
    }


def _placed(model: Placeable, circuit: Any) -> list[tuple[Any, Any, str]]:
    slots, processes = model.placed(circuit)
    out: list[tuple[Any, Any, str]] = []
    for layer, slot in enumerate(slots):
        out += [(layer, term, term.describe()) for term in slot.terms]
        out += [(layer, _Phase(p, layer), p.describe(layer)) for p in processes if p.acts(layer)]
    return out


@dataclasses.dataclass(frozen=True)
class _Phase:
    """A process in one slot, with the attributes of a term."""

    process: Any
    layer: int
    kind: ClassVar[str] = "dephasing"

    @property
    def sites(self) -> tuple[int, ...]:
        qubits: tuple[int, ...] = self.process.qubits
        return qubits

    @property
    def strength(self) -> float:
        return float(self.process.rate_in(self.layer))


def noise_lines(model: Placeable, circuit: Any = None) -> list[str]:
    """What is applied in words: term by term, or slot by slot of a circuit (or Problem)."""
    lines: list[str] = []
    if circuit is None:
        lines += [term.describe() for term in model.terms]
        lines += [f"qubits {', '.join(map(str, p.qubits))}: {p.name}" for p in model.phases]
        if model.calibration is None:
            lines = lines or ["no noise"]
        else:
            lines.append(f"device calibration of {model.calibration.name}; give a circuit to see the slots")
    else:
        slots, processes = model.placed(circuit)
        for index, slot in enumerate(slots):
            lines.append(f"slot {index} (after layer {index}):")
            acting = [p.describe(index) for p in processes if p.acts(index)]
            white = [term.describe() for term in slot.terms]
            where = sum(term.is_phase for term in slot.terms)
            lines += [f"  {line}" for line in white[:where] + acting + white[where:]] or ["  nothing"]
    lines += [f"readout of qubit {q}: p01 = {a:.4g}, p10 = {b:.4g}" for q, (a, b) in model.readout_error]
    lines += [f"note: {note}" for note in model.notes]
    return lines


def noise_html(model: Placeable) -> str:
    """A compact table of the terms, and the notes."""
    columns = noise_columns(model)
    rows = list(zip(columns["mechanism"], columns["qubits"], columns["rate"], columns["term"], strict=True))
    out = rows_html(f"noise {model.name}: rates dimensionless, per slot", ["mechanism", "qubits", "rate", "term"], rows)
    facts: dict[str, Any] = {f"note {i}": note for i, note in enumerate(model.notes, 1)}
    if model.calibration is not None:
        facts = {"device": f"{model.calibration.name}: terms follow when a circuit is placed on it"} | facts
    facts |= {f"readout of qubit {q}": f"p01 = {a:.4g}, p10 = {b:.4g}" for q, (a, b) in model.readout_error[:8]}
    return out + (facts_html("notes", facts) if facts else "")


def plot_noise(model: Placeable, circuit: Any) -> Figure:
    """Rates by circuit qubit, summed over the slots, a bar of mechanisms each; a term's rate split over its qubits.

    Args:
        model: The model.
        circuit: A circuit or Problem, which says where and how often each term acts.

    Raises:
        NoiseError: No circuit is given.
    """
    if circuit is None:
        raise NoiseError("plot() needs the circuit (or Problem) that the noise acts on: noise.plot(circuit).")
    from matplotlib.figure import Figure

    columns = noise_columns(model, circuit)
    count = int(circuit.num_qubits)
    totals: dict[str, list[float]] = {}
    for mechanism, qubits, rate in zip(columns["mechanism"], columns["qubits"], columns["rate"], strict=True):
        named: Sequence[str] = qubits.split()
        for qubit in named:
            totals.setdefault(mechanism, [0.0] * count)[int(qubit)] += rate / len(named)
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    base = [0.0] * count
    for mechanism, heights in totals.items():
        colour, hatch = _STYLES[list(KINDS).index(mechanism) % len(_STYLES)]
        axes.bar(range(count), heights, bottom=base, color=colour, hatch=hatch, edgecolor="white", label=mechanism)
        base = [a + b for a, b in zip(base, heights, strict=True)]
    axes.set(xlabel="circuit qubit", ylabel="rate, summed over slots (dimensionless)")
    axes.set_title(f"noise {model.name}", parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
    if totals:
        axes.legend(frameon=False, fontsize=9)
    return figure
