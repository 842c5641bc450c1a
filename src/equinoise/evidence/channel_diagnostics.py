"""Study: which quantity predicts survival best, the law's or a standard diagnostic of the noise channel?

One circuit, two readouts, many channels of mixed kind with one and the same total strength: the sum over a slot's jumps
of rate times squared operator norm. (Equal infidelity would make that diagnostic a constant.) The channel acts on all
qubits in every slot, so that one slot's channel says everything, and the ring lets the readout see every qubit.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator
from scipy.stats import rankdata

from equinoise.circuit.builders import brickwork
from equinoise.coherence import metrics
from equinoise.coherence.resummed import lasting_share, leading_order_survival, rate_variance, resummed_survival
from equinoise.engines.draws import parallel_draws
from equinoise.engines.sector.exact import ExactEngine
from equinoise.engines.select import exact_engine
from equinoise.ensemble import Ensemble
from equinoise.evidence.channel_families import FAMILIES, STRENGTH, channel_noise
from equinoise.evidence.frame.study import Context, Criterion, StudyResult
from equinoise.problem import Problem
from equinoise.reduction.program import compile_problem
from equinoise.table import Table, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ranking", "run"]

Real = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

WIDTH, DEPTH, CHARGE = 6, 4, 3
READOUTS = {"Z": "Z3", "hopping": "X2X3+Y2Y3"}
BOTH = "both"

LAW = {
    "resummed": "resummed law R",
    "leading_order": "leading order exp(-kappa)",
    "kappa": "aligned rate kappa",
    "w0": "fixed-point share w0",
}
STANDARD = {
    "gate_infidelity": "average gate infidelity",
    "entanglement_infidelity": "entanglement infidelity",
    "diamond": "diamond distance",
    "unitarity": "unitarity",
    "gap": "spectral gap",
    "worst_rate": "worst-case rate, whole space",
    "worst_rate_sector": "worst-case rate, sector",
    "mean_rate_sector": "mean sector coherence rate",
    "purity_loss": "purity loss",
    "readout_only": "readout-only quotient",
    "state_only": "state-only quotient",
}

# Okabe and Ito
_BLUE, _VERMILION, _GREEN, _ORANGE, _GREY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#666666"


# -- channels ----------------------------------------------------------------------------------------------------------


def _circuit() -> QuantumCircuit:
    return brickwork(WIDTH, DEPTH, periodic=True)


def _noiseless(thetas: Real) -> tuple[Complex, dict[str, Complex]]:
    """States rho_l and Heisenberg readouts O_l at each slot: shape (draws, slots, D, D)."""
    pieces: list[QuantumCircuit] = [QuantumCircuit(WIDTH)]
    circuit = _circuit()
    for item in circuit.data:
        if item.operation.name == "barrier":
            pieces.append(QuantumCircuit(WIDTH))
        else:
            pieces[-1].append(item.operation, [circuit.find_bit(q).index for q in item.qubits])
    pieces = [piece for piece in pieces if piece.size()]
    problem = Problem(circuit, READOUTS["Z"], "neel")
    start = problem.initial.statevector()
    heard = {name: problem.with_readout(label).readout.to_matrix() for name, label in READOUTS.items()}

    def one(theta: Real) -> tuple[list[Complex], dict[str, list[Complex]]]:
        values = dict(zip(problem.parameters, theta.tolist(), strict=True))
        unitaries = [Operator(p.assign_parameters({k: values[k] for k in p.parameters})).data for p in pieces]
        psi, states = start, []
        for u in unitaries:
            psi = u @ psi
            states.append(np.outer(psi, psi.conj()))
        readouts = {name: [matrix] for name, matrix in heard.items()}
        for chain in readouts.values():
            for u in unitaries[:0:-1]:
                chain.append(u.conj().T @ chain[-1] @ u)
            chain.reverse()
        return states, readouts

    draws = parallel_draws(one, thetas, 1)
    return np.array([s for s, _ in draws]), {name: np.array([o[name] for _, o in draws]) for name in READOUTS}


# -- one channel -------------------------------------------------------------------------------------------------------


def _diagnostics(channel: metrics.SlotChannel, states: Complex) -> dict[str, Value]:
    """The standard diagnostics of one slot's channel at s = 1; rates are per slot."""
    distance = metrics.diamond_distance(channel)
    infidelity = metrics.entanglement_infidelity(channel)
    return {
        "gate_infidelity": channel.dimension / (channel.dimension + 1) * infidelity,
        "entanglement_infidelity": infidelity,
        "diamond": distance.value,
        "diamond_low": distance.lower,
        "diamond_high": distance.upper,
        "unitarity": metrics.unitarity(channel),
        "gap": metrics.spectral_gap(channel),
        "worst_rate": metrics.worst_coherence_rate(channel),
        "worst_rate_sector": metrics.worst_coherence_rate(channel, CHARGE),
        "mean_rate_sector": metrics.mean_coherence_rate(channel, CHARGE),
        "purity_loss": float(metrics.purity_loss(channel, states).mean()),
        "state_only": float(metrics.rayleigh_quotient(channel, states).mean()),
    }


def _law(engine: ExactEngine, thetas: Real) -> dict[str, Value]:
    """Exact survival at s = 1, and the law's quantities from the same draws."""
    sums = np.zeros(5)
    for theta in thetas:
        g0, g1, g2 = engine.series(theta)
        noisy, frozen = engine.draw(theta, 1.0).gradient, engine.draw(theta, math.inf).gradient
        sums += g0 @ g0, g0 @ g1, g1 @ g1 + 2 * (g0 @ g2), noisy @ noisy, frozen @ frozen
    square, slope, curvature, noisy_square, frozen_square = sums.tolist()
    kappa, share = -slope / square + 0.0, frozen_square / square
    moment = curvature / (2 * square)
    lasting = lasting_share(kappa, moment, share, dephasing=engine.program.noise_class in ("none", "strong"))
    c2 = rate_variance(kappa, moment, lasting)
    return {
        "survival": math.sqrt(noisy_square / square),
        "kappa": kappa,
        "leading_order": float(leading_order_survival(1.0, kappa)),
        "w0": share,
        "c2": c2,
        "resummed": float(resummed_survival(1.0, kappa, lasting, c2)),
    }


def run(context: Context) -> StudyResult:
    """Ranks the law's quantities and the standard diagnostics by how well they predict survival at s = 1.

    Args:
        context: Quick takes 3 channels per family and 12 draws, full 15 and 48; every quantity that depends on the
            circuit's angles is averaged over the same draws as the survival.
    """
    copies, samples, resamples = (3, 12, 1000) if context.quick else (15, 48, 4000)
    circuit = _circuit()
    plain = Problem(circuit, READOUTS["Z"], "neel")
    thetas = Ensemble().draw(plain, samples, context.seed_for("diagnostics", "draws"))
    states, readouts = _noiseless(thetas)
    wanted = [(family, copy) for family in FAMILIES for copy in range(copies)]
    done = 0

    def one(item: tuple[str, int]) -> list[dict[str, Value]]:
        family, copy = item
        noise = channel_noise(family, context.seed_for("diagnostics", family, copy))
        problem = Problem(circuit, READOUTS["Z"], "neel", noise)
        channel = metrics.slot_channel(compile_problem(problem), 0)
        common = _diagnostics(channel, states)
        rows = []
        for task, label in READOUTS.items():
            # one worker: the channels are what runs in parallel
            engine = exact_engine(problem if task == "Z" else problem.with_readout(label), workers=1)
            heard = float(metrics.rayleigh_quotient(channel, readouts[task]).mean())
            name: dict[str, Value] = {"channel": f"{family} {copy}", "family": family, "task": task}
            strength = {"strength": metrics.jump_strength(channel)}
            rows.append(name | strength | _law(engine, thetas) | common | {"readout_only": heard})
        return rows

    def count(number: int) -> None:
        nonlocal done
        done += number
        context.tick(done, len(wanted))

    parts = parallel_draws(one, wanted, context.workers or os.cpu_count() or 1, count)
    data = Table.from_rows([row for part in parts for row in part])
    ranked = Table.from_rows(ranking(data, resamples, context.seed_for("diagnostics", "bootstrap")))
    return StudyResult({"data": data, "ranking": ranked}, _criteria(ranked), _findings(data, ranked), _figure)


# -- ranking -----------------------------------------------------------------------------------------------------------


def _correlation(x: Real, y: Real) -> Real:
    """Pearson's correlation along the last axis; 0 where either is constant."""
    a, b = x - x.mean(axis=-1, keepdims=True), y - y.mean(axis=-1, keepdims=True)
    spread = np.sqrt(np.sum(a**2, axis=-1) * np.sum(b**2, axis=-1))
    floor = 1e-12 * np.maximum(np.abs(x).max(axis=-1) * np.abs(y).max(axis=-1), 1e-300)
    return np.where(spread > floor, np.sum(a * b, axis=-1) / np.maximum(spread, 1e-300), 0.0)


def _measures(x: Real, r: Real) -> Real:
    """|Spearman|, |Pearson|, and R^2 of the better straight line (R or ln R on the quantity): shape (3, ...)."""
    x = np.where(np.abs(x) < 1e-12, 0.0, x).round(12)
    spearman = np.abs(_correlation(rankdata(x, axis=-1), rankdata(r.round(12), axis=-1)))
    pearson = np.abs(_correlation(x, r))
    logarithm = np.abs(_correlation(x, np.log(r)))
    return np.stack([spearman, pearson, np.maximum(pearson, logarithm) ** 2])


def ranking(data: Table, resamples: int, seed: int) -> list[dict[str, Value]]:
    """Each quantity's |Spearman|, |Pearson| and R^2 against the exact survival, best |Spearman| first per task.

    Args:
        data: Rows by channel and task.
        resamples: Bootstrap samples of channels; both readouts of a channel stay together.
        seed: Of the bootstrap.

    Returns:
        Rows for each task and for both together, with 95 % percentile intervals.
    """
    tasks = np.array(data.columns["task"])
    count = int(np.sum(tasks == tasks[0]))
    picks = np.random.default_rng(seed).integers(0, count, size=(resamples, count))
    rows: list[dict[str, Value]] = []
    for task in (*READOUTS, BOTH):
        chosen = [np.flatnonzero(tasks == t) for t in (READOUTS if task == BOTH else (task,))]
        where = np.concatenate(chosen)
        drawn = np.concatenate([c[picks] for c in chosen], axis=1)
        survival = np.array(data.columns["survival"], dtype=np.float64)
        found = []
        for key, label in (LAW | STANDARD).items():
            values = np.array(data.columns[key], dtype=np.float64)
            best = _measures(values[where], survival[where])
            low, high = np.percentile(_measures(values[drawn], survival[drawn]), [2.5, 97.5], axis=1)
            row: dict[str, Value] = {"task": task, "quantity": key, "label": label, "law": key in LAW}
            for i, name in enumerate(("spearman", "pearson", "r2")):
                row |= {name: float(best[i]), f"{name}_low": float(low[i]), f"{name}_high": float(high[i])}
            found.append(row)
        found.sort(key=lambda row: (-float(row["spearman"] or 0.0), str(row["quantity"])))
        rows += [{"rank": rank, **row} for rank, row in enumerate(found, start=1)]
    return rows


def _of(ranked: Table, task: str) -> list[dict[str, Value]]:
    return [row for row in ranked.rows() if row["task"] == task]


def _pick(rows: Sequence[Mapping[str, Value]], quantity: str) -> Mapping[str, Value]:
    return next(row for row in rows if row["quantity"] == quantity)


def _best(rows: Sequence[Mapping[str, Value]], law: bool) -> Mapping[str, Value]:
    return next(row for row in rows if row["law"] == law)


def _number(row: Mapping[str, Value], key: str) -> float:
    return float(row[key] or 0.0)


def _criteria(ranked: Table) -> tuple[Criterion, ...]:
    out = []
    for task in (*READOUTS, BOTH):
        rows = _of(ranked, task)
        words = "both readouts together" if task == BOTH else f"{task} readout"
        resummed = _pick(rows, "resummed")
        others = max(_number(row, "spearman") for row in rows if row["quantity"] != "resummed")
        standard = _best(rows, law=False)
        out += [
            Criterion(
                f"{words}: |Spearman| of the resummed law with R, against the highest of all other quantities",
                _number(resummed, "spearman"),
                others,
                True,
            ),
            Criterion(
                f"{words}: lower end of its 95 % interval, against the best standard diagnostic ({standard['label']})",
                _number(resummed, "spearman_low"),
                _number(standard, "spearman"),
                True,
            ),
            Criterion(
                f"{words}: |Spearman| of the aligned rate kappa, against the best standard diagnostic",
                _number(_pick(rows, "kappa"), "spearman"),
                _number(standard, "spearman"),
                True,
            ),
        ]
    return tuple(out)


def _findings(data: Table, ranked: Table) -> tuple[str, ...]:
    survival = np.array(data.columns["survival"], dtype=np.float64)
    channels = len(set(data.columns["channel"]))
    rows = _of(ranked, BOTH)

    def shown(row: Mapping[str, Value]) -> str:
        low, value, high = (_number(row, key) for key in ("spearman_low", "spearman", "spearman_high"))
        return f"{row['label']} {value:.4f} ({low:.4f} to {high:.4f})"

    resummed, kappa = _pick(rows, "resummed"), _pick(rows, "kappa")
    error = np.array(data.columns["resummed"], dtype=np.float64) - survival
    share = np.array(data.columns["w0"], dtype=np.float64)
    # a V(s) that only falls ends below V(1)
    returning = share > survival**2 + 1e-9
    families = sorted({str(f) for f, r in zip(data.columns["family"], returning, strict=True) if r})
    exceptions = (
        f"Points where V(s) falls and comes back: {returning.sum()} (w0 above R^2, up to "
        f"{share[returning].max():.2f}; {', '.join(families)}: complete relaxation resets a qubit and hands gradients "
        f"back), off by up to {np.abs(error[returning]).max():.3f}: there w0 is no share of modes that never decay."
        if returning.any()
        else "At no point is w0 above R^2, where V(s) would fall and come back."
    )
    sentences = [
        f"Over {channels} channels with the same sum of jump rates times squared operator norms ({STRENGTH:g} a slot), "
        f"the exact survival at s = 1 runs from {survival.min():.3f} to {survival.max():.3f}.",
        f"|Spearman| with R, both readouts together: {shown(resummed)} and {shown(kappa)}; best standard diagnostics: "
        + ", ".join(shown(row) for row in [r for r in rows if not r["law"]][:2])
        + ".",
        f"The resummed law is more than a ranking: with no fitted parameter its R is off by "
        f"{np.sqrt(np.mean(error**2)):.4f} (root mean square), at most "
        f"{np.abs(error[~returning]).max():.3f} where w0 <= R^2. {exceptions}",
    ]
    for task in READOUTS:
        best, alone = _best(_of(ranked, task), law=False), _pick(_of(ranked, task), "w0")
        first = _of(ranked, task)[0]
        sentences.append(
            f"{task} readout: first is {shown(first)}; best standard diagnostic: {shown(best)}, rank {best['rank']}; "
            f"w0 alone has {_number(alone, 'spearman'):.3f}, for it says what stays and not how fast the rest goes."
        )
    return tuple(sentences)


# -- figure ------------------------------------------------------------------------------------------------------------


def _figure(tables: Mapping[str, Table]) -> Figure:
    from matplotlib.figure import Figure

    rows = _of(tables["ranking"], BOTH)
    figure = Figure(figsize=(13.0, 4.9), layout="constrained")
    bars, law, standard = figure.subplots(1, 3, width_ratios=[1.35, 1, 1])
    _draw_bars(bars, rows)
    _draw_scatter(law, tables["data"], _best(rows, law=True))
    _draw_scatter(standard, tables["data"], _best(rows, law=False))
    standard.legend(frameon=False, fontsize=9, loc="best")
    return figure


def _draw_bars(axes: Axes, rows: Sequence[Mapping[str, Value]]) -> None:
    places = np.arange(len(rows))
    values = np.array([_number(row, "spearman") for row in rows])
    low = np.array([_number(row, "spearman_low") for row in rows])
    high = np.array([_number(row, "spearman_high") for row in rows])
    colours = [_BLUE if row["law"] else _ORANGE for row in rows]
    axes.barh(places, values, color=colours, height=0.7)
    ends = np.clip([values - low, high - values], 0, None)
    axes.errorbar(values, places, xerr=ends, fmt="none", ecolor="black", elinewidth=1.1, capsize=2.5)
    axes.set_yticks(places, [str(row["label"]) for row in rows], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.02)
    axes.set_xlabel("|Spearman| with the exact survival (95 % bootstrap)")
    axes.set_title("both readouts; blue: the law, orange: standard", fontsize=10.5)
    axes.grid(True, axis="x", color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_scatter(axes: Axes, data: Table, row: Mapping[str, Value]) -> None:
    tasks = np.array(data.columns["task"])
    values = np.array(data.columns[str(row["quantity"])], dtype=np.float64)
    survival = np.array(data.columns["survival"], dtype=np.float64)
    for task, colour, marker in zip(READOUTS, (_GREEN, _VERMILION), ("o", "^"), strict=True):
        here = tasks == task
        style: dict[str, Any] = {"s": 16, "color": colour, "marker": marker, "alpha": 0.75, "linewidths": 0}
        axes.scatter(values[here], survival[here], label=f"{task} readout", **style)
    if row["quantity"] in ("resummed", "leading_order"):
        ends = [float(min(values.min(), survival.min())), 1.0]
        axes.plot(ends, ends, color=_GREY, linewidth=1.0, linestyle=(0, (5, 2)), zorder=0)
    axes.set_xlabel(f"{row['label']}{'' if row['law'] else ' of a slot'}")
    axes.set_ylabel("exact survival R at s = 1")
    kind = "best of the law" if row["law"] else "best standard diagnostic"
    equal = "; dashed: equal" if row["law"] else ""
    axes.set_title(f"{kind}: $R^2$ = {_number(row, 'r2'):.3f}{equal}", fontsize=10.5)
    axes.grid(True, color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
