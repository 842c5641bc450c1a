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

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from equinoise.circuit.builders import brickwork
from equinoise.circuit.layers import end_layer
from equinoise.coherence.law import law
from equinoise.coherence.law_record import Law
from equinoise.device.snapshots import snapshot
from equinoise.engines.evaluate import GradientVariance, gradient_variance
from equinoise.errors import DeviceError
from equinoise.evidence.frame.figure_panels import OKABE_ITO, Layout, Panel, Points
from equinoise.evidence.frame.rows import Row, Rows, Tables, along, listed
from equinoise.evidence.frame.statistics import quotient
from equinoise.evidence.frame.study import Context, Criterion, Study, at_least, at_most
from equinoise.noise.model import NoiseModel
from equinoise.noise.terms import Relaxation
from equinoise.problem import Problem
from equinoise.reduction.light_cone import light_cone

__all__ = ["DESIGNS", "STUDY", "hardware_efficient"]

QUBITS, DEPTH, READOUT, RATE = 6, 4, "Z2", 0.05
SCALES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, math.inf)
QUICK_SCALES = (0.0, 1.0, 4.0, 16.0, math.inf)
JUDGED = 16.0
DEVICES = ("torino", "sherbrooke")
COLLECTIVE, LOCAL, DAMPING = "collective dephasing", "local dephasing", "damping"
LAST_QUIET = "damping, last slot quiet"
DESIGNS = ("equivariant", "unstructured")


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


def _noises() -> dict[str, NoiseModel]:
    """Every noise by name, devices that are not installed left out."""
    named = {
        COLLECTIVE: f"collective:{RATE}",
        LOCAL: f"dephasing:{RATE}",
        "depolarizing": f"depolarizing:{RATE}",
        "relaxation up and down alike": f"relaxation:down={RATE},up={RATE}",
        DAMPING: f"relaxation:{RATE}",
    }
    noises = {name: NoiseModel.from_string(spec) for name, spec in named.items()}
    quiet = [Relaxation(q, down=RATE, layers=tuple(range(DEPTH - 1))) for q in range(QUBITS)]
    noises[LAST_QUIET] = NoiseModel(relaxation=quiet, name=LAST_QUIET)
    missing = _missing_devices()
    for device in DEVICES:
        if device not in missing:
            noises[f"ibm:{device}"] = NoiseModel.from_backend(snapshot(device), layout=range(QUBITS))
    return noises


def _missing_devices() -> dict[str, str]:
    """Devices without a snapshot, and why."""
    missing = {}
    for device in DEVICES:
        try:
            snapshot(device)
        except DeviceError as error:
            missing[device] = str(error)
    return missing


def _tables(context: Context) -> dict[str, list[Row]]:
    """V(0), kappa, w0, c2 and class by noise and design ("data"), "survival" by scale, and their "ratios"."""
    draws = 32 if context.quick else 200
    scales = QUICK_SCALES if context.quick else SCALES
    noises = _noises()
    circuits = {"equivariant": brickwork(QUBITS, DEPTH), "unstructured": hardware_efficient(QUBITS, DEPTH)}
    data: list[Row] = []
    survival: list[Row] = []
    ratios: list[Row] = []
    for name, noise in noises.items():
        found = {}
        for design, circuit in circuits.items():
            problem = Problem(circuit, READOUT, "neel", noise, allow_broken=design == "unstructured")
            sampling = context.sampling(draws, "symmetric-or-not", design)
            result = law(problem, sampling=sampling)
            found[design] = gradient_variance(problem, scales, sampling=sampling)
            which: Row = {"noise": name, "design": design}
            data.append({**which, **_law_row(problem, result)})
            seen = found[design]
            columns = {"scale": seen.scales, "survival": seen.survival, "error": seen.survival_error}
            survival += along(which, **columns, resummed=result.survival(seen.scales))
            context.tick(len(data), 2 * len(noises))
        ratios += [{"noise": name, **row} for row in _ratios(found)]
    return {"data": data, "survival": survival, "ratios": ratios}


def _law_row(problem: Problem, found: Law) -> Row:
    return {
        "parameters": len(light_cone(problem).parameters),
        "depth": len(problem.layers),
        "variance": found.variance,
        "kappa": found.kappa,
        "kappa_low": found.kappa_interval[0],
        "kappa_high": found.kappa_interval[1],
        "fixed_point_share": found.fixed_point_share,
        "rate_variance": found.rate_variance,
        "fixed_point": found.fixed_point.kind,
        "fixed_point_purity": found.fixed_point.purity,
        "fixed_point_commutator": found.fixed_point.commutator,
    }


def _ratios(found: dict[str, GradientVariance]) -> list[Row]:
    """Survival of the equivariant design over the unstructured one's, at every scale with noise."""
    out: list[Row] = []
    for index, scale in enumerate(found["equivariant"].scales.tolist()[1:], start=1):
        values = {design: float(one.survival[index]) for design, one in found.items()}
        both = [(values[design], float(found[design].survival_error[index])) for design in DESIGNS]
        # nothing left of either (rounding noise): no ratio
        ratio, error = quotient(both[0], both[1], max(values.values()) > 1e-10)
        out.append({"scale": scale, **values, "ratio": ratio, "ratio_error": error})
    return out


def _judged(tables: Tables) -> Rows:
    """Ratios of survivals, equivariant over unstructured, at the scale that is judged."""
    return tables["ratios"].where(scale=JUDGED)


def _criteria(tables: Tables) -> list[Criterion]:
    ratio, error = (_judged(tables).column(name) for name in ("ratio", "ratio_error"))
    shares = [tables["data"].row(noise=LAST_QUIET, design=design)["fixed_point_share"] for design in DESIGNS]
    wording = f"survival of equivariant over unstructured at s = {JUDGED:g}"
    # four standard errors towards 1: the difference must be real
    return [
        at_least(f"{wording}, where symmetry protects most (less 4 standard errors)", (ratio - 4 * error).max(), 1.05),
        at_most(f"{wording}, where it protects least (plus 4 standard errors)", (ratio + 4 * error).min(), 0.95),
        at_most(f"w0 of the equivariant design, {LAST_QUIET}", shares[0], 1e-20),
        at_least(f"w0 of the unstructured design, {LAST_QUIET}", shares[1], 0.01),
    ]


def _findings(tables: Tables) -> list[str]:
    data, judged = tables["data"], {str(r["noise"]): r for r in _judged(tables)}

    def pair(noise: str, column: str) -> list[float]:
        return [data.row(noise=noise, design=design)[column] for design in DESIGNS]

    def both(noise: str, column: str, form: str = ".3f") -> str:
        a, b = pair(noise, column)
        return f"{a:{form}} against {b:{form}}"

    def explained(noise: str) -> str:
        return f"kappa {both(noise, 'kappa')}, w0 {both(noise, 'fixed_point_share', '.2g')}"

    ratios = listed(f"{name} {r['ratio']:.2f} +- {r['ratio_error']:.2f}" for name, r in judged.items())
    kappa, other = pair(LOCAL, "kappa")
    out = [
        f"Survival of the equivariant over the unstructured design at s = {JUDGED:g}: {ratios}.",
        f"Protected: under {COLLECTIVE} the equivariant gradient loses nothing ({explained(COLLECTIVE)}, equivariant "
        "first): the input lies in one charge sector, which every gate keeps and on which the jump is a number. RY "
        "leaves it.",
        "Fragile: damping drives the state to |0..0>, which every charge-conserving gate leaves as it is (fixed point "
        f"{pair(DAMPING, 'fixed_point')[0]}), while RY turns it out again. At small s the designs "
        f"are alike ({explained(DAMPING)}), at s = {JUDGED:g} their ratio is {judged[DAMPING]['ratio']:.2f}; at "
        "s = infinity both lose everything, since the last slot resets the readout's qubit. With that slot quiet: "
        f"{explained(LAST_QUIET)}.",
        f"Local dephasing: kappa {both(LOCAL, 'kappa')}, w0 {both(LOCAL, 'fixed_point_share')}: "
        f"the equivariant gradient falls {'faster' if kappa > other else 'slower'} at first, and the "
        "share that sits in the diagonal decides late.",
    ]
    if devices := [name for name in judged if name.startswith("ibm:")]:
        parts = listed(f"{name} {judged[name]['ratio']:.2f} (kappa {both(name, 'kappa')})" for name in devices)
        out.append(
            "On devices, with each design compiled to native gates on the same line of qubits, the ratio is "
            f"{parts}: an equivariant block costs three native two-qubit gates, a CZ "
            "one, and the circuit pays in time and errors."
        )
    return out + [f"Device noise of {device} was left out: {why}" for device, why in _missing_devices().items()]


def _figure(tables: Tables) -> Layout:
    """Survival against scale of both designs, one panel per noise; hollow at s = infinity."""
    finite = [s for s in SCALES if 0 < s < math.inf]
    end = 2 * max(finite)
    ticks = {**{s: f"{s:g}" for s in finite}, end: "∞"}
    panels: list[Panel] = []
    for noise, rows in tables["survival"].where(lambda r: r["scale"] > 0).by("noise").items():
        marks: list[Points] = []
        texts = [noise]
        for (design, part), colour, marker in zip(rows.by("design").items(), OKABE_ITO, "os", strict=False):
            scale, value = np.minimum(part.column("scale"), end), part.column("survival")
            error = part.column("error")[:-1]
            marks.append(Points(scale[:-1], value[:-1], error, design, colour, marker, "-"))
            marks.append(Points(scale[-1:], value[-1:], None, None, colour, marker, size=7, filling="none"))
            row = tables["data"].row(noise=noise, design=design)
            share = "0" if row["fixed_point_share"] < 1e-12 else f"{row['fixed_point_share']:.2f}"
            texts.append(f"{design[0]}: κ = {row['kappa']:.3f}, w₀ = {share}")
        panels.append(
            Panel(
                marks,
                "noise scale s",
                "survival R",
                "\n".join(texts),
                log="x",
                ylim=(-0.04, 1.06),
                xticks=ticks,
                legend="" if panels else "lower left",
            )
        )
    return Layout(panels, (11, 2.9 * math.ceil(len(panels) / 4)), columns=4, share_y=True)


STUDY = Study(_tables, _criteria, _findings, _figure)
