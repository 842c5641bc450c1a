"""Study: which quantity predicts survival best, the law's or a standard diagnostic of the noise channel?

One circuit, two readouts, many channels of mixed kind with one and the same total strength: the sum over a slot's jumps
of rate times squared operator norm. (Equal infidelity would make that diagnostic a constant.) The channel acts on all
qubits in every slot, so that one slot's channel says everything, and the ring lets the readout see every qubit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator

from equinoise.circuit.builders import brickwork
from equinoise.coherence import metrics
from equinoise.engines.draws import parallel_draws
from equinoise.evidence.channel_families import FAMILIES, STRENGTH, channel_noise
from equinoise.evidence.frame.figure_panels import OKABE_ITO, Bars, Layout, Panel, Points, diagonal, grouped, places
from equinoise.evidence.frame.measured_cases import in_parallel, measure
from equinoise.evidence.frame.rows import Row, Rows, Tables, listed
from equinoise.evidence.frame.statistics import rank_measures
from equinoise.evidence.frame.study import Context, Criterion, Study, at_least
from equinoise.problem import Problem
from equinoise.reduction.program import compile_problem
from equinoise.sampling import Sampling

__all__ = ["STUDY", "ranking"]

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

    draws = list(parallel_draws(one, thetas, 1))
    return np.array([s for s, _ in draws]), {name: np.array([o[name] for _, o in draws]) for name in READOUTS}


def _diagnostics(channel: metrics.SlotChannel, states: Complex) -> Row:
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


def _law(problem: Problem, sampling: Sampling) -> Row:
    """Exact survival at s = 1, and the law's quantities from the same draws."""
    found = measure(problem, sampling, scales=[1.0])
    return {
        "survival": float(found.exact[0]),
        "kappa": found.kappa,
        "leading_order": float(found.leading[0]),
        "w0": found.share,
        "c2": found.rate_variance,
        "resummed": float(found.resummed[0]),
    }


def _tables(context: Context) -> dict[str, list[Row]]:
    """Every quantity of every channel ("data"), and how well each predicts survival at s = 1 ("ranking").

    Quick takes 3 channels per family and 12 draws, full 15 and 48; every quantity that depends on the circuit's angles
    is averaged over the same draws as the survival.
    """
    copies, samples, resamples = (3, 12, 1000) if context.quick else (15, 48, 4000)
    circuit, sampling = _circuit(), context.sampling(samples, "diagnostics", "draws")
    states, readouts = _noiseless(sampling.draw(Problem(circuit, READOUTS["Z"], "neel")))

    def one(item: tuple[str, int]) -> list[Row]:
        family, copy = item
        noise = channel_noise(family, context.seed_for("diagnostics", family, copy))
        problem = Problem(circuit, READOUTS["Z"], "neel", noise)
        channel = metrics.slot_channel(compile_problem(problem), 0)
        common = _diagnostics(channel, states)
        return [
            {
                "channel": f"{family} {copy}",
                "family": family,
                "task": task,
                "strength": metrics.jump_strength(channel),
                **_law(problem if task == "Z" else problem.with_readout(label), sampling),
                **common,
                "readout_only": float(metrics.rayleigh_quotient(channel, readouts[task]).mean()),
            }
            for task, label in READOUTS.items()
        ]

    channels = [(family, copy) for family in FAMILIES for copy in range(copies)]
    data = Rows(row for part in in_parallel(one, channels, context) for row in part)
    return {"data": list(data), "ranking": ranking(data, resamples, context.seed_for("diagnostics", "bootstrap"))}


def ranking(data: Rows, resamples: int, seed: int) -> list[Row]:
    """Each quantity's |Spearman|, |Pearson| and R^2 against the exact survival, best |Spearman| first per task.

    Args:
        data: Rows by channel and task.
        resamples: Bootstrap samples of channels; both readouts of a channel stay together.
        seed: Of the bootstrap.

    Returns:
        Rows for each task and for both together, with 95 % percentile intervals.
    """
    tasks = np.array([row["task"] for row in data])
    count = int(np.sum(tasks == tasks[0]))
    picks = np.random.default_rng(seed).integers(0, count, size=(resamples, count))
    survival = data.column("survival")
    rows: list[Row] = []
    for task in (*READOUTS, BOTH):
        chosen = [np.flatnonzero(tasks == t) for t in (READOUTS if task == BOTH else (task,))]
        where, drawn = np.concatenate(chosen), np.concatenate([c[picks] for c in chosen], axis=1)
        found = []
        for key, label in (LAW | STANDARD).items():
            values = data.column(key)
            best = rank_measures(values[where], survival[where])
            low, high = np.percentile(rank_measures(values[drawn], survival[drawn]), [2.5, 97.5], axis=1)
            row: Row = {"task": task, "quantity": key, "label": label, "law": key in LAW}
            for i, name in enumerate(("spearman", "pearson", "r2")):
                row |= {name: float(best[i]), f"{name}_low": float(low[i]), f"{name}_high": float(high[i])}
            found.append(row)
        found.sort(key=lambda row: (-row["spearman"], row["quantity"]))
        rows += [{"rank": rank, **row} for rank, row in enumerate(found, start=1)]
    return rows


def _criteria(tables: Tables) -> list[Criterion]:
    out = []
    for task, rows in tables["ranking"].by("task").items():
        words = "both readouts together" if task == BOTH else f"{task} readout"
        resummed, standard = rows.row(quantity="resummed"), rows.row(law=False)
        others = rows.where(lambda r: r["quantity"] != "resummed").largest("spearman")
        out += [
            at_least(
                f"{words}: |Spearman| of the resummed law with R, against the highest of all other quantities",
                resummed["spearman"],
                others,
            ),
            at_least(
                f"{words}: lower end of its 95 % interval, against the best standard diagnostic ({standard['label']})",
                resummed["spearman_low"],
                standard["spearman"],
            ),
            at_least(
                f"{words}: |Spearman| of the aligned rate kappa, against the best standard diagnostic",
                rows.row(quantity="kappa")["spearman"],
                standard["spearman"],
            ),
        ]
    return out


def _shown(row: Row) -> str:
    return f"{row['label']} {row['spearman']:.4f} ({row['spearman_low']:.4f} to {row['spearman_high']:.4f})"


def _returning(data: Rows) -> str:
    """How far the resummed law is off, and the points at which V(s), which else only falls, comes back after s = 1."""
    error = data.column("resummed") - data.column("survival")
    back = data.column("w0") > data.column("survival") ** 2 + 1e-9
    text = (
        f"The resummed law is more than a ranking: with no fitted parameter its R is off by "
        f"{np.sqrt(np.mean(error**2)):.4f} (root mean square), at most {np.abs(error[~back]).max():.3f} where "
        "w0 <= R^2. "
    )
    if not back.any():
        return text + "At no point is w0 above R^2, where V(s) would fall and come back."
    families = listed(sorted({row["family"] for row, returns in zip(data, back, strict=True) if returns}))
    return (
        f"{text}Points where V(s) falls and comes back: {back.sum()} (w0 above R^2, up to "
        f"{data.column('w0')[back].max():.2f}; {families}: complete relaxation resets a qubit and hands gradients "
        f"back), off by up to {np.abs(error[back]).max():.3f}: there w0 is no share of modes that never decay."
    )


def _findings(tables: Tables) -> list[str]:
    data, by_task = tables["data"], tables["ranking"].by("task")
    both = by_task[BOTH]
    out = [
        f"Over {len(data.distinct('channel'))} channels with the same sum of jump rates times squared operator norms "
        f"({STRENGTH:g} a slot), the exact survival at s = 1 runs from {data.least('survival'):.3f} to "
        f"{data.largest('survival'):.3f}.",
        f"|Spearman| with R, both readouts together: {_shown(both.row(quantity='resummed'))} and "
        f"{_shown(both.row(quantity='kappa'))}; best standard diagnostics: "
        f"{listed(map(_shown, both.where(law=False)[:2]))}.",
        _returning(data),
    ]
    for task in READOUTS:
        rows = by_task[task]
        best, alone = rows.row(law=False), rows.row(quantity="w0")["spearman"]
        out.append(
            f"{task} readout: first is {_shown(rows[0])}; best standard diagnostic: {_shown(best)}, rank "
            f"{best['rank']}; w0 alone has {alone:.3f}, for it says what stays and not how fast the rest goes."
        )
    return out


def _figure(tables: Tables) -> Layout:
    """|Spearman| of every quantity, and survival against the best of the law and the best standard diagnostic."""
    rows, data = tables["ranking"].where(task=BOTH), tables["data"]
    best = rows.column("spearman")
    ends = np.clip([best - rows.column("spearman_low"), rows.column("spearman_high") - best], 0, None)
    colours = [OKABE_ITO[0] if row["law"] else OKABE_ITO[4] for row in rows]
    bars = Panel(
        [Bars(best, colours, width=0.7, error=ends)],
        "|Spearman| with the exact survival (95 % bootstrap)",
        title="both readouts; blue: the law, orange: standard",
        xlim=(0, 1.02),
        ylim=(len(rows) - 0.5, -0.5),
        legend="",
        yticks=places(row["label"] for row in rows),
    )
    scatters = [_scatter(data, rows.row(law=law), law) for law in (True, False)]
    return Layout([bars, *scatters], (13.0, 4.9), columns=3, widths=[1.35, 1, 1])


def _scatter(data: Rows, row: Row, law: bool) -> Panel:
    tasks = {f"{task} readout": rows for task, rows in data.by("task").items()}
    marks: list[Points] = grouped(tasks, row["quantity"], "survival", labels=not law, alpha=0.75)
    if row["quantity"] in ("resummed", "leading_order"):
        marks.append(diagonal((min(data.least(row["quantity"]), data.least("survival")), 1.0), "--"))
    kind = "best of the law" if law else "best standard diagnostic"
    return Panel(
        marks,
        f"{row['label']}{'' if law else ' of a slot'}",
        "exact survival R at s = 1",
        f"{kind}: $R^2$ = {row['r2']:.3f}{'; dashed: equal' if law else ''}",
        legend="" if law else "best",
    )


STUDY = Study(_tables, _criteria, _findings, _figure)
