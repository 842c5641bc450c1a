"""Where does symmetry protect gradients, and where does it make them fragile?

Two designs of equal depth on the same qubits, input (Neel), readout (Z2) and noise per slot: equivariant brickwork
(XX+YY and RZZ on each bond, RZ on each qubit) and a hardware-efficient ansatz (RY and RZ on each qubit, then CZ on each
bond), which breaks the charge and is computed in the full space. Six qubits, four layers: both cones hold all of them,
and 44 against 48 parameters.

Generic noise has the same rates per slot for both designs. Device noise is each design's own: the same physical line of
qubits (0 to 5 of the device, along a row of the lattice; not chosen by any result), each block compiled to native
gates, so that XX+YY with RZZ pays for three two-qubit gates and CZ for one. "damping, last slot quiet" leaves out the
slot before the readout, which at s = infinity resets the readout's qubit whatever the circuit is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from equinoise.circuit.builders import brickwork
from equinoise.circuit.layers import end_layer
from equinoise.coherence.law import law
from equinoise.device.snapshots import snapshot
from equinoise.engines.evaluate import gradient_variance
from equinoise.errors import DeviceError
from equinoise.evidence.frame.study import Context, Criterion, StudyResult
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import Relaxation
from equinoise.problem import Problem
from equinoise.reduction.light_cone import light_cone
from equinoise.table import Table, as_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DESIGNS", "draw", "hardware_efficient", "run"]

QUBITS, DEPTH, READOUT, RATE = 6, 4, "Z2", 0.05
SCALES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, math.inf)
QUICK_SCALES = (0.0, 1.0, 4.0, 16.0, math.inf)
JUDGED = 16.0
DEVICES = ("torino", "sherbrooke")
COLLECTIVE, LOCAL, DAMPING = "collective dephasing", "local dephasing", "damping"
LAST_QUIET = "damping, last slot quiet"
DESIGNS = ("equivariant", "unstructured")
COLOURS = {"equivariant": "#0072B2", "unstructured": "#D55E00"}


def hardware_efficient(num_qubits: int, depth: int) -> QuantumCircuit:
    """RY and RZ on every qubit, then CZ on the bonds of a brickwork layer, a barrier after each layer.

    Args:
        num_qubits: Number of qubits n >= 2.
        depth: Number of layers >= 1.

    Returns:
        The circuit; parameters theta[0], theta[1], ... in gate order, 2 n depth of them.

    Example:
        >>> from equinoise.evidence.symmetric.symmetric_or_not import hardware_efficient
        >>> hardware_efficient(4, 2).num_parameters
        16
    """
    theta = ParameterVector("theta", 2 * num_qubits * depth)
    circuit = QuantumCircuit(num_qubits)
    for layer in range(depth):
        for q in range(num_qubits):
            first = 2 * (layer * num_qubits + q)
            circuit.ry(theta[first], q)
            circuit.rz(theta[first + 1], q)
        for q in range(layer % 2, num_qubits - 1, 2):
            circuit.cz(q, q + 1)
        end_layer(circuit)
    return circuit


def _noises() -> tuple[list[tuple[str, NoiseModel]], list[str]]:
    """Names and models, and what had to be left out."""
    named = {
        COLLECTIVE: f"collective:{RATE}",
        LOCAL: f"dephasing:{RATE}",
        "depolarizing": f"depolarizing:{RATE}",
        "relaxation up and down alike": f"relaxation:down={RATE},up={RATE}",
        DAMPING: f"relaxation:{RATE}",
    }
    noises = [(name, NoiseModel.from_string(spec)) for name, spec in named.items()]
    quiet = [Relaxation(q, down=RATE, layers=tuple(range(DEPTH - 1))) for q in range(QUBITS)]
    noises.append((LAST_QUIET, NoiseModel(relaxation=quiet, name=LAST_QUIET)))
    missing = []
    for device in DEVICES:
        try:
            noises.append((f"ibm:{device}", NoiseModel.from_backend(snapshot(device), layout=range(QUBITS))))
        except DeviceError as error:
            missing.append(f"Device noise of {device} was left out: {error}")
    return noises, missing


def run(context: Context) -> StudyResult:
    """Survival of both designs' gradients under each noise, with kappa, w0 and the fixed point's class.

    Args:
        context: Size, seed, workers, progress.

    Returns:
        Table "data", one row per noise and design (V(0), kappa, w0, c2, class), "survival" by scale, and "ratios".
    """
    draws = 32 if context.quick else 200
    scales = QUICK_SCALES if context.quick else SCALES
    noises, missing = _noises()
    circuits = {"equivariant": brickwork(QUBITS, DEPTH), "unstructured": hardware_efficient(QUBITS, DEPTH)}
    data: list[dict[str, Any]] = []
    survival: list[dict[str, Any]] = []
    ratios: list[dict[str, Any]] = []
    for number, (name, noise) in enumerate(noises):
        found = {}
        for design, circuit in circuits.items():
            problem = Problem(circuit, READOUT, "neel", noise, allow_broken=design == "unstructured")
            seed = context.seed_for("symmetric-or-not", design)
            result = law(problem, draws, seed, workers=context.workers)
            seen = gradient_variance(problem, scales, draws, seed, workers=context.workers)
            found[design] = seen
            data.append(
                {
                    "noise": name,
                    "design": design,
                    "parameters": len(light_cone(problem).parameters),
                    "depth": len(problem.layers),
                    "variance": result.variance,
                    "kappa": result.kappa,
                    "kappa_low": result.kappa_interval[0],
                    "kappa_high": result.kappa_interval[1],
                    "fixed_point_share": result.fixed_point_share,
                    "rate_variance": result.rate_variance,
                    "fixed_point": result.fixed_point.kind,
                    "fixed_point_purity": result.fixed_point.purity,
                    "fixed_point_commutator": result.fixed_point.commutator,
                }
            )
            survival += [
                {
                    "noise": name,
                    "design": design,
                    "scale": s,
                    "survival": float(r),
                    "error": float(e),
                    "resummed": float(m),
                }
                for s, r, e, m in zip(scales, seen.survival, seen.survival_error, result.survival(scales), strict=True)
            ]
            context.tick(2 * number + len(found), 2 * len(noises))
        for index, scale in enumerate(scales[1:], start=1):
            a, b = (found[design].survival[index] for design in DESIGNS)
            errors = [found[design].survival_error[index] for design in DESIGNS]
            # nothing left of either (rounding noise): no ratio
            known = max(a, b) > 1e-10
            ratio = float(a / b) if known and b > 0 else None
            ratios.append(
                {
                    "noise": name,
                    "scale": scale,
                    "equivariant": float(a),
                    "unstructured": float(b),
                    "ratio": ratio,
                    "ratio_error": float(math.hypot(errors[0] / b, a * errors[1] / b**2))
                    if ratio is not None
                    else None,
                }
            )
    tables = {"data": Table.from_rows(data), "survival": Table.from_rows(survival), "ratios": Table.from_rows(ratios)}
    return StudyResult(tables, _criteria(tables), (*_findings(tables), *missing), draw)


def _judged(tables: Mapping[str, Table]) -> dict[str, tuple[float, float]]:
    """Ratio of survivals, equivariant over unstructured, and its error at the scale that is judged, by noise."""
    return {
        str(r["noise"]): (as_number(r["ratio"]), as_number(r["ratio_error"]))
        for r in tables["ratios"].rows()
        if r["scale"] == JUDGED
    }


def _row(tables: Mapping[str, Table], noise: str, design: str) -> Mapping[str, Any]:
    return next(r for r in tables["data"].rows() if r["noise"] == noise and r["design"] == design)


def _criteria(tables: Mapping[str, Table]) -> tuple[Criterion, ...]:
    judged = _judged(tables)
    # four standard errors towards 1: the difference must be real
    protected = max(ratio - 4 * error for ratio, error in judged.values())
    fragile = min(ratio + 4 * error for ratio, error in judged.values())
    shares = [as_number(_row(tables, LAST_QUIET, design)["fixed_point_share"]) for design in DESIGNS]
    wording = f"survival of equivariant over unstructured at s = {JUDGED:g}"
    return (
        Criterion(f"{wording}, where symmetry protects most (less 4 standard errors)", protected, 1.05, True),
        Criterion(f"{wording}, where it protects least (plus 4 standard errors)", fragile, 0.95, False),
        Criterion(f"w0 of the equivariant design, {LAST_QUIET}", shares[0], 1e-20, False),
        Criterion(f"w0 of the unstructured design, {LAST_QUIET}", shares[1], 0.01, True),
    )


def _findings(tables: Mapping[str, Table]) -> tuple[str, ...]:
    judged = _judged(tables)

    def both(noise: str, column: str, form: str = ".3f") -> str:
        a, b = (as_number(_row(tables, noise, design)[column]) for design in DESIGNS)
        return f"{a:{form}} against {b:{form}}"

    def explained(noise: str) -> str:
        return f"kappa {both(noise, 'kappa')}, w0 {both(noise, 'fixed_point_share', '.2g')}"

    listed = ", ".join(f"{name} {ratio:.2f} +- {error:.2f}" for name, (ratio, error) in judged.items())
    out = [
        f"Survival of the equivariant over the unstructured design at s = {JUDGED:g}: {listed}.",
        f"Protected: under {COLLECTIVE} the equivariant gradient loses nothing ({explained(COLLECTIVE)}, equivariant "
        "first): the input lies in one charge sector, which every gate keeps and on which the jump is a number. RY "
        "leaves it.",
        f"Fragile: damping drives the state to |0..0>, which every charge-conserving gate leaves as it is (fixed point "
        f"{_row(tables, DAMPING, 'equivariant')['fixed_point']}), while RY turns it out again. At small s the designs "
        f"are alike ({explained(DAMPING)}), at s = {JUDGED:g} their ratio is {judged[DAMPING][0]:.2f}; at "
        f"s = infinity both lose everything, since the last slot resets the readout's qubit. With that slot quiet: "
        f"{explained(LAST_QUIET)}.",
        f"Local dephasing: kappa {both(LOCAL, 'kappa')}, w0 {both(LOCAL, 'fixed_point_share')}: "
        f"the equivariant gradient falls {'faster' if _faster(tables) else 'slower'} at first, and the "
        "share that sits in the diagonal decides late.",
    ]
    devices = [name for name in judged if name.startswith("ibm:")]
    if devices:
        parts = [f"{name} {judged[name][0]:.2f} (kappa {both(name, 'kappa')})" for name in devices]
        out.append(
            f"On devices, with each design compiled to native gates on the same line of qubits, the ratio is "
            f"{', '.join(parts)}: an equivariant block costs three native two-qubit gates, a CZ "
            "one, and the circuit pays in time and errors."
        )
    return tuple(out)


def _faster(tables: Mapping[str, Table]) -> bool:
    a, b = (as_number(_row(tables, LOCAL, design)["kappa"]) for design in DESIGNS)
    return a > b


def _shown(share: float) -> str:
    return "0" if share < 1e-12 else f"{share:.2f}"


def draw(tables: Mapping[str, Table]) -> Figure:
    """Survival against scale of both designs, one panel per noise.

    Args:
        tables: As :func:`run` returns them.
    """
    from matplotlib.figure import Figure

    rows = tables["survival"].rows()
    noises = list(dict.fromkeys(str(r["noise"]) for r in rows))
    columns = 4
    figure = Figure(figsize=(11, 2.9 * math.ceil(len(noises) / columns)), layout="constrained")
    panels = np.asarray(figure.subplots(math.ceil(len(noises) / columns), columns, sharey=True, squeeze=False)).ravel()
    finite = [s for s in SCALES if 0 < s < math.inf]
    end = 2 * max(finite)
    for panel, noise in zip(panels, noises, strict=False):
        for design, marker in zip(DESIGNS, ("o", "s"), strict=True):
            part = [r for r in rows if r["noise"] == noise and r["design"] == design and as_number(r["scale"]) > 0]
            scale = [min(as_number(r["scale"]), end) for r in part]
            value = [as_number(r["survival"]) for r in part]
            panel.errorbar(
                scale[:-1],
                value[:-1],
                yerr=[as_number(r["error"]) for r in part[:-1]],
                color=COLOURS[design],
                marker=marker,
                ms=5,
                label=design,
            )
            panel.plot(scale[-1:], value[-1:], color=COLOURS[design], marker=marker, ms=7, mfc="none", ls="none")
        shown = {d: _row(tables, noise, d) for d in DESIGNS}
        text = "\n".join(
            f"{d[0]}: κ = {as_number(r['kappa']):.3f}, w₀ = {_shown(as_number(r['fixed_point_share']))}"
            for d, r in shown.items()
        )
        panel.set_title(f"{noise}\n{text}", fontsize=8.5)
        panel.set(xscale="log", ylim=(-0.04, 1.06))
        panel.set_xticks([*finite, end], [*(f"{s:g}" for s in finite), "∞"])
        panel.minorticks_off()
    for panel in panels[len(noises) :]:
        panel.set_axis_off()
    panels[0].legend(frameon=False, fontsize=8, loc="lower left")
    figure.supxlabel("noise scale s", fontsize=10)
    figure.supylabel("survival R", fontsize=10)
    return figure
