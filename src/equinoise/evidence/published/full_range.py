"""What the tables do not hold, on their settings: the whole range, direction, budget, bounds, more excitations.

Noise is a generator at unit strength and a scale s; s kappa_k is what the leading-order law accumulates. The prior
U[-0.05, 0.05] is not the ensemble for which bounds are proved: none are stated for it. They are stated for weights
uniform over their period, on the same circuit, under dephasing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from equinoise.evidence.frame.measured_cases import in_parallel
from equinoise.evidence.frame.rows import Row
from equinoise.evidence.frame.study import Context
from equinoise.evidence.published.kraus_channels import MAIN, kraus_channel
from equinoise.evidence.published.medians import resampled
from equinoise.evidence.published.responses import (
    first_order_rate,
    gradients,
    mean_response,
    parameter_law,
    response,
    whole_law,
)
from equinoise.evidence.published.ring import SMALL_BOX, WIDE_BOX, Ring
from equinoise.noise.model import NoiseModel

__all__ = ["bound_rows", "budget_rows", "more_charge_rows", "range_rows"]

Real = npt.NDArray[np.float64]

# the parameter of each depth, as in the tables
_ACTIVE = {3: (1, 0), 4: (2, 0), 5: (3, 1), 6: (4, 0)}
_WHOLE_RANGE = (0.03, 0.1, 0.3, 0.6, 1.0, 1.5, 2.0, 3.0)
_BOUND_SCALES = (0.01, 0.03, 0.1, 0.3)


def _unit_noise(channel: str, num_qubits: int) -> NoiseModel:
    """The channel's own generator per unit of strength, X jumps included."""
    if channel == "x_err":
        return NoiseModel(pauli=[{"pauli": f"X{q}", "rate": 1.0} for q in range(num_qubits)], name="x_err")
    return kraus_channel(channel, num_qubits).first_order()


def _weights(ring: Ring, count: int, seed: int, box: float) -> Real:
    """Independent weights, with independent data where they matter."""
    rng = np.random.default_rng(seed)
    thetas = rng.uniform(-box, box, (count, ring.depth * ring.num_qubits))
    if ring.spread:
        thetas[:, : ring.num_qubits] += rng.uniform(-np.pi, np.pi, (count, ring.num_qubits))
    return thetas


def range_rows(context: Context) -> list[Row]:
    """Population values with errors over the whole range, the resummed law, and the direction, L = 3 to 6."""
    depths = (3, 4) if context.quick else tuple(_ACTIVE)
    channels = MAIN[:3] if context.quick else MAIN
    items = [(depth, channel, context) for channel in reversed(channels) for depth in reversed(depths)]
    return [row for rows in in_parallel(lambda item: _range(*item), items, context) for row in rows]


def _range(depth: int, channel: str, context: Context) -> list[Row]:
    ring = Ring(8, depth)
    k = ring.parameter(*_ACTIVE[depth])
    count = 16 if channel == "x_err" else (32 if context.quick else 256)
    # the same weights for every channel
    thetas = _weights(ring, count, context.seed_for("range", depth), SMALL_BOX)
    problem = ring.problem(_unit_noise(channel, 8))
    known = parameter_law(problem, thetas, k)
    without = gradients(problem, thetas, scale=0.0)
    rows: list[Row] = []
    for x in _WHOLE_RANGE:
        scale = x / known.kappa
        noisy = gradients(problem, thetas, scale=scale)
        exact, error = mean_response(without[:, k] ** 2, noisy[:, k] ** 2)
        inner = float(np.mean(np.sum(without * noisy, axis=1)))
        norms = float(np.mean(np.sum(without**2, axis=1)) * np.mean(np.sum(noisy**2, axis=1)))
        rows.append(
            {
                "channel": channel,
                "L": depth,
                "x": x,
                "scale": scale,
                "kappa": known.kappa,
                "share": known.share,
                "c2": known.c2,
                "exact": exact,
                "error": error,
                "leading": 2 * x,
                "resummed": float(known.response(scale)),
                "direction": inner / float(np.sqrt(norms)),
                "draws": count,
            }
        )
    return rows


def budget_rows(context: Context) -> list[Row]:
    """What each layer's noise costs the whole gradient of the ring, L = 3 to 6: shares of kappa."""
    rows: list[Row] = []
    for depth in (3, 4) if context.quick else tuple(_ACTIVE):
        ring = Ring(8, depth)
        thetas = _weights(ring, 32, context.seed_for("range", depth), SMALL_BOX)
        for channel in MAIN:
            found = whole_law(ring.problem(kraus_channel(channel, 8).first_order()), thetas)
            for layer in range(depth):
                share = sum(entry.kappa for entry in found.budget if entry.layer == layer) / found.kappa
                rows.append(
                    {"channel": channel, "L": depth, "layer": layer, "kappa": found.kappa, "share_of_kappa": share}
                )
    return rows


def bound_rows(context: Context) -> list[Row]:
    """Bounds on the survival of the whole gradient under dephasing, weights uniform over their period.

    The noise after the last layer is left out: dephasing right before a diagonal readout changes nothing, and no Z
    rotation stands next to it, which the proof asks of every noisy slot.
    """
    rows: list[Row] = []
    samples = 48 if context.quick else 192
    for depth in (3, 4) if context.quick else tuple(_ACTIVE):
        layers = list(range(depth - 1))
        jumps = [{"rate": 1.0, "weights": {q: 1.0}, "layers": layers} for q in range(8)]
        problem = Ring(8, depth).problem(NoiseModel(dephasing=jumps))
        found = whole_law(problem, samples=samples, seed=context.seed_for("bounds", depth))
        # draws of their own: the bounds are for the mean over the ensemble, whatever was sampled for kappa and w0
        thetas = np.random.default_rng(context.seed_for("bounded", depth)).uniform(0, 2 * np.pi, (samples, 8 * depth))
        without = np.sum(gradients(problem, thetas, scale=0.0) ** 2, axis=1)
        lower, upper = found.bounds(_BOUND_SCALES)
        for i, scale in enumerate(_BOUND_SCALES):
            exact, error = mean_response(without, np.sum(gradients(problem, thetas, scale=scale) ** 2, axis=1))
            rows.append(
                {
                    "L": depth,
                    "scale": scale,
                    "lower": float(lower[i]),
                    "survival": float(np.exp(-exact / 2)),
                    "error": float(np.exp(-exact / 2) * error / 2),
                    "upper": float(upper[i]),
                    "status": found.bound_status,
                }
            )
    return rows


def more_charge_rows(context: Context) -> list[Row]:
    """Two and three excitations, deeper than the tables, from independent pairs of weights and data."""
    rings = [Ring(8, depth, excitations=2, spread=True) for depth in ((3,) if context.quick else (3, 4, 5))]
    rings += [] if context.quick else [Ring(8, depth, excitations=3, spread=True) for depth in (3, 4)]
    items = [(ring, channel, context) for ring in rings for channel in MAIN[:3]]
    return [row for rows in in_parallel(lambda item: _more_charge(*item), items, context) for row in rows]


def _more_charge(ring: Ring, channel: str, context: Context) -> list[Row]:
    count = 60 if context.quick else 400
    seed = context.seed_for("more charge", ring.excitations, ring.depth)
    thetas, k = _weights(ring, count, seed, WIDE_BOX), ring.parameter(0, 0)
    kraus = kraus_channel(channel, ring.num_qubits)
    without = gradients(ring.problem(), thetas, k, 0.0) ** 2
    kappa = first_order_rate(ring.problem(kraus.first_order()), thetas, k)
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for strength in (0.01, 0.1, 0.25):
        gamma = strength / ring.depth
        noisy = gradients(ring.problem(kraus.noise(gamma)), thetas, k) ** 2
        exact, error = mean_response(without, noisy)
        medians = resampled(without[:, None], noisy[:, None], "median", count, rng)
        rows.append(
            {
                "r": ring.excitations,
                "L": ring.depth,
                "channel": channel,
                "gamma_L": strength,
                "mean": exact,
                "mean_error": error,
                "median": response(without, noisy, "median"),
                "median_error": float(medians.std()),
                "first_order": 2 * gamma * kappa,
                "draws": count,
            }
        )
    return rows
