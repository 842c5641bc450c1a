"""Phases 11 to 14 and 18: widths, more excitations, open chain, structured noise, an ansatz without symmetry.

The authors take medians of squared gradients over all combinations of 40 (25) weights with 4 data. For one excitation
and for the ansatz without symmetry the data are a global phase: these are 40 draws and not 160. Phase 11 can be
repeated draw by draw, since its seeds are hashes by SHA-256; the others used Python's ``hash`` of text, which differs
in every session. For those: the median and mean over many draws, and the interval in which 95 % of such medians lie.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equinoise.evidence.frame.measured_cases import in_parallel
from equinoise.evidence.frame.rows import Row, Rows
from equinoise.evidence.frame.study import Context
from equinoise.evidence.published.kraus_channels import kraus_channel
from equinoise.evidence.published.published_tables import PublishedTables
from equinoise.evidence.published.responses import first_order_rate, gradients, response
from equinoise.evidence.published.ring import SMALL_BOX, WIDE_BOX, Ring, crossed_draws, unstructured
from equinoise.noise.model import NoiseModel
from equinoise.problem import Problem

__all__ = ["Design", "designs", "median_rows", "resampled", "width_rows"]

Real = npt.NDArray[np.float64]

_BROKEN = ("biased_pauli",)


@dataclass(frozen=True)
class Design:
    """One circuit of these phases.

    Attributes:
        phase: Of the authors.
        title: In words.
        file: Its table.
        ring: The circuit; of the ansatz without symmetry its numbers of qubits and layers.
        parameter: (layer, qubit).
        box: Half-width of the prior.
        problem: Makes the problem.
    """

    phase: str
    title: str
    file: str
    ring: Ring
    parameter: tuple[int, int]
    box: float
    problem: Callable[[NoiseModel | None], Problem]


def designs() -> list[Design]:
    """The circuits whose draws can't be repeated, with the parameters named in the tables (phase 14: the notebook)."""
    two, three, ring = Ring(8, 3, excitations=2, spread=True), Ring(6, 2, excitations=3, spread=True), Ring(8, 3)
    chain = Ring(8, 3, closed=False)
    return [
        Design("12", "two excitations", "phase12_r2_sector", two, (0, 0), WIDE_BOX, two.problem),
        Design("12", "three excitations", "phase12_r2_sector", three, (0, 5), WIDE_BOX, three.problem),
        Design("13", "open chain", "phase13_open_chain", chain, (2, 1), SMALL_BOX, chain.problem),
        Design("14", "structured noise", "phase14_aniso_noise", ring, (1, 0), SMALL_BOX, ring.problem),
        Design(
            "18",
            "no symmetry",
            "phase18_hea_baseline",
            ring,
            (1, 0),
            SMALL_BOX,
            lambda noise: unstructured(8, 3, noise),
        ),
    ]


def width_rows(tables: PublishedTables, context: Context) -> list[Row]:
    """Phase 11, n = 6, 8 and 10, with the authors' draws."""
    numbers = ("n", "L", "r", "gamma_L", "gamma", "D_M", "ell_act", "j_act")
    published = tables.rows("phase11_n_scaling", numbers, ("channel",))
    if context.quick:
        published = published.where(lambda row: row["n"] < 10)
    return in_parallel(_width_row, published, context)


def _width_row(row: Row) -> Row:
    n, depth = int(row["n"]), int(row["L"])
    ring = Ring(n, depth)
    k = ring.parameter(row["ell_act"], row["j_act"])
    channel = kraus_channel(row["channel"], n)
    streams = (np.random.default_rng(_stable_seed("phase11", "theta", n, depth, 1, i)) for i in range(25))
    thetas = np.array([rng.uniform(-SMALL_BOX, SMALL_BOX, (depth, n)).ravel() for rng in streams])
    without = gradients(ring.problem(), thetas, k, 0.0) ** 2
    noisy = gradients(ring.problem(channel.noise(row["gamma"])), thetas, k) ** 2
    return {
        "channel": row["channel"],
        "n": n,
        "gamma_L": row["gamma_L"],
        "published": row["D_M"],
        "median": response(without, noisy, "median"),
        "mean": response(without, noisy),
        "first_order": 2 * row["gamma"] * first_order_rate(ring.problem(channel.first_order()), thetas, k),
    }


def _stable_seed(*items: object) -> int:
    """The authors' seed: SHA-256 of the items joined by bars."""
    text = "|".join(map(str, items)).encode()
    return int(hashlib.sha256(text).hexdigest()[:16], 16) % (2**31 - 1)


def median_rows(tables: PublishedTables, context: Context) -> list[Row]:
    """Every row of phases 12, 13, 14 and 18."""
    items = [
        (design, channel, part, context)
        for design in designs()
        for channel, part in _published(tables, design).by("channel").items()
        if not (context.quick and channel in _BROKEN)
    ]
    found = in_parallel(lambda item: _channel_rows(*item), items, context)
    return list(itertools.chain.from_iterable(found))


def _published(tables: PublishedTables, design: Design) -> Rows:
    numbers = ("n", "L", "r", "gamma_L", "gamma", "D_M")
    rows = tables.rows(design.file, numbers, ("channel",)).where(r=float(design.ring.excitations))
    # biased Pauli noise stands twice in its table
    return Rows({(row["channel"], row["gamma_L"]): row for row in rows}.values())


def _channel_rows(design: Design, name: str, published: Rows, context: Context) -> list[Row]:
    rng = np.random.default_rng(context.seed_for("medians", design.title))
    weights, data = _pool(design, name, context.quick)
    ring = design.ring
    shape = (ring.depth, ring.num_qubits)
    thetas = [rng.uniform(-design.box, design.box, shape) for _ in range(weights)]
    x = [rng.uniform(-np.pi, np.pi, ring.num_qubits) for _ in range(data)]
    draws = crossed_draws(ring, thetas, x)
    k, channel = ring.parameter(*design.parameter), kraus_channel(name, ring.num_qubits)

    def squares(noise: NoiseModel | None, scale: float = 1.0) -> Real:
        return (gradients(design.problem(noise), draws, k, scale) ** 2).reshape(weights, -1)

    without = squares(None, 0.0)
    kappa = first_order_rate(design.problem(channel.first_order()), draws, k)
    rows: list[Row] = []
    for row in published:
        noisy = squares(channel.noise(row["gamma"]))
        theirs = resampled(without, noisy, "median", 40, rng)
        low, high = np.quantile(theirs, [0.025, 0.975])
        rows.append(
            {
                "phase": design.phase,
                "design": design.title,
                "channel": name,
                "gamma_L": row["gamma_L"],
                "published": row["D_M"],
                "median": response(without.ravel(), noisy.ravel(), "median"),
                "their_low": float(low),
                "their_high": float(high),
                "mean": response(without, noisy),
                "mean_error": float(resampled(without, noisy, "mean", weights, rng).std()),
                "first_order": 2 * row["gamma"] * kappa,
                "weights": weights,
                "data": without.shape[1],
            }
        )
    return rows


def _pool(design: Design, channel: str, quick: bool) -> tuple[int, int]:
    """Weights and data drawn: fewer where the full space is needed, or all combinations count."""
    if design.ring.spread:
        return (24, 6) if quick else (96, 24)
    return (60, 1) if quick else ((100, 1) if channel in _BROKEN else (400, 1))


def resampled(without: Real, noisy: Real, estimator: str, weights: int, rng: np.random.Generator) -> Real:
    """Responses of 400 designs of so many weights and 4 data (all data where weights are as many as there are).

    Args:
        without: Squared gradients without noise, shape (weights there are, data there are).
        noisy: With noise, same shape.
        estimator: A key of :data:`equinoise.evidence.published.responses.ESTIMATORS`.
        weights: Weights of one design, drawn with replacement as the data are.
        rng: Of the resampling.

    Returns:
        Shape (400,).
    """
    count, columns = without.shape
    taken = columns if weights == count else min(4, columns)
    out = np.empty(400)
    for i in range(out.size):
        where = np.ix_(rng.integers(0, count, weights), rng.integers(0, columns, taken))
        out[i] = response(without[where], noisy[where], estimator)
    return out
