"""Does the law foretell who learns, with and without post-selection on the charge?

Designs (depth and channel) on ten qubits learn breast cancer from nine features with few shots. Before any training the
law gives each one's surviving gradient: RMS noiseless gradient of a class count times the resummed survival, over the
ensemble of uniform angles, for loaded training rows. With post-selection it is divided by the kept fraction.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import SparsePauliOp
from scipy.stats import spearmanr

from equinoise.coherence.law import Law, law
from equinoise.errors import UnsupportedError
from equinoise.evidence.frame.study import OKABE_ITO, Context, Criterion, StudyResult
from equinoise.problem import Problem
from equinoise.table import Table, Value, as_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from equinoise.learn.classifier_circuit import Model

__all__ = ["CHANNELS", "draw", "run"]

Real = npt.NDArray[np.float64]

QUBITS, FEATURES, BATCH, SHOTS, RESAMPLES = 10, 9, 25, 100, 2000
CHANNELS = {"dephasing": "dephasing:0.03", "damping": "relaxation:down=0.03", "collective": "collective:0.03"}


def run(context: Context) -> StudyResult:
    """Trains every design at every noise scale; what the law says is computed before.

    Args:
        context: Size, seed, workers, progress.

    Returns:
        Tables "data" (a row a run) and "ranks" (Spearman correlations with bootstrap intervals).

    Raises:
        UnsupportedError: scikit-learn (the ``learn`` extra) is not installed.
    """
    try:
        from sklearn.datasets import load_breast_cancer
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise UnsupportedError('this study needs scikit-learn: pip install "equinoise[learn]".') from None
    depths, scales = ((2, 6), (1.0, 8.0)) if context.quick else ((2, 4, 8), (0.5, 2.0, 8.0))
    seeds, count, epochs = (1, 60, 3) if context.quick else (2, 200, 8)
    features, labels = load_breast_cancer(return_X_y=True)
    parts = train_test_split(features[:, :FEATURES], labels, train_size=count, random_state=0, stratify=labels)
    grid = [(d, c, s, v) for d in depths for c in CHANNELS for s in scales for v in (False, True)]
    rows: list[dict[str, Value]] = []
    laws: dict[tuple[int, str], list[Law]] = {}
    for depth, channel, scale, verified in grid:
        rows += _runs(depth, channel, scale, verified, parts, seeds, epochs, context, laws)
        context.tick(len(rows) // seeds, len(grid))
    data = Table.from_rows(rows)
    ranks = Table.from_rows([_rank(name, part, context) for name, part in _parts(rows).items()])
    return StudyResult({"data": data, "ranks": ranks}, _criteria(rows), _findings(rows, ranks), draw)


def _runs(
    depth: int,
    channel: str,
    scale: float,
    verified: bool,
    parts: list[Real],
    seeds: int,
    epochs: int,
    context: Context,
    laws: dict[tuple[int, str], list[Law]],
) -> list[dict[str, Value]]:
    from equinoise.learn.classifier import ChargeClassifier
    from equinoise.learn.classifier_circuit import Design, Model
    from equinoise.learn.training import first_weights, loss_and_gradient

    options: dict[str, Any] = {"depth": depth, "noise": CHANNELS[channel], "scale": scale, "verified": verified}
    out: list[dict[str, Value]] = []
    for seed in range(seeds):
        model = ChargeClassifier(
            **options, n_qubits=QUBITS, shots=SHOTS, epochs=epochs, batch_size=BATCH, seed=seed, workers=context.workers
        ).fit(parts[0], parts[2])
        vectors = model.encoding_.vectors(parts[0][:BATCH])
        numbers = np.searchsorted(model.classes_, parts[2][:BATCH])
        norms = []
        for noise in (CHANNELS[channel], None):
            bare = Model(Design(QUBITS, 2, depth=depth, noise=noise, scale=scale, verified=verified), context.workers)
            start = first_weights(bare, seed)
            states = bare.loaded(vectors)
            norms.append(float(np.linalg.norm(loss_and_gradient(bare, start, states, numbers)[2][0])))
            if noise is not None:
                kept = float(np.mean(_kept(bare, states)))
                if (depth, channel) not in laws:
                    laws[depth, channel] = _laws(bare, vectors[:2], context)
                predicted = _predicted(laws[depth, channel], bare.trained.size, scale)
        out.append(
            {
                "depth": depth,
                "channel": channel,
                "scale": scale,
                "verified": verified,
                "seed": seed,
                "kept": kept,
                "survival": predicted[1] / (kept if verified else 1.0),
                "predicted_gradient": predicted[0] * predicted[1] / (kept if verified else 1.0),
                "gradient_norm": norms[0],
                "noiseless_norm": norms[1],
                "accuracy": float(model.score(parts[1], parts[3])),
                "loss": model.history_[-1].loss,
            }
        )
    return out


def _kept(model: Model, states: Real) -> Real:
    """Share of the shots that pass: what is left in the input's charge at the end, whatever the angles."""
    identity = model.program.operator_entries(SparsePauliOp("I" * model.design.num_qubits), model.design.excitations)
    return model.expectations(np.zeros(model.trained.size), states, (identity,))


def _laws(model: Model, vectors: Real, context: Context) -> list[Law]:
    """The law of a class count, over uniform angles, for each of some loaded rows."""
    names = {model.problem.parameters[k]: i for i, k in enumerate(model.data)}
    count = SparsePauliOp.from_sparse_list([("Z", [q], -0.5) for q in range(0, QUBITS, 2)], num_qubits=QUBITS)
    out = []
    for row in model.loader.angles(vectors):
        bound = model.problem.circuit.assign_parameters({p: row[i] for p, i in names.items()})
        problem = Problem(bound, count, initial=model.loader.initial, noise=model.design.noise)
        out.append(law(problem, samples=8, seed=context.seed_for("training", "law"), engine="exact"))
    return out


def _predicted(laws: list[Law], angles: int, scale: float) -> tuple[float, float]:
    """RMS noiseless gradient of a class count per angle, and its survival."""
    variance, squared = np.mean([(one.variance / angles, float(one.survival(scale)) ** 2) for one in laws], axis=0)
    return math.sqrt(variance), math.sqrt(squared)


def _parts(rows: list[dict[str, Value]]) -> dict[str, list[dict[str, Value]]]:
    plain = [r for r in rows if not r["verified"]]
    return {"without post-selection": plain, "with post-selection": [r for r in rows if r["verified"]], "all": rows}


def _rank(name: str, rows: list[dict[str, Value]], context: Context) -> dict[str, Value]:
    out: dict[str, Value] = {"runs": name, "count": len(rows)}
    rng = np.random.default_rng(context.seed_for("training", "bootstrap", name))
    columns = {
        key: np.array([as_number(r[key]) for r in rows])
        for key in ("predicted_gradient", "survival", "accuracy", "gradient_norm")
    }
    for x, y in (("predicted_gradient", "accuracy"), ("survival", "accuracy"), ("predicted_gradient", "gradient_norm")):
        a, b = columns[x], columns[y]
        resampled = []
        for _ in range(RESAMPLES // 4 if context.quick else RESAMPLES):
            pick = rng.integers(0, len(rows), len(rows))
            if np.ptp(a[pick]) > 0 and np.ptp(b[pick]) > 0:
                resampled.append(float(spearmanr(a[pick], b[pick]).statistic))
        key = f"{x}_{y}"
        out[key] = float(spearmanr(a, b).statistic)
        out[f"{key}_low"], out[f"{key}_high"] = (float(v) for v in np.percentile(resampled, [2.5, 97.5]))
    return out


def _criteria(rows: list[dict[str, Value]]) -> tuple[Criterion, ...]:
    def ratio(r: Mapping[str, Value]) -> float:
        return as_number(r["gradient_norm"]) / as_number(r["noiseless_norm"])

    damped = [abs(ratio(r) - 1) for r in rows if r["channel"] == "damping" and r["verified"]]
    plain = [ratio(r) for r in rows if r["channel"] == "dephasing" and not r["verified"]]
    checked = [ratio(r) for r in rows if r["channel"] == "dephasing" and r["verified"]]
    gain = max(abs(a - b) for a, b in zip(plain, checked, strict=True))
    still = [abs(ratio(r) - 1) for r in rows if r["channel"] == "collective"]
    return (
        Criterion(
            "damping, post-selected: distance of the gradient norm from the noiseless one", max(damped), 1e-9, False
        ),
        Criterion("dephasing: what post-selection changes in the gradient norm", gain, 1e-9, False),
        Criterion(
            "collective dephasing: distance of the gradient norm from the noiseless one", max(still), 1e-9, False
        ),
    )


def _findings(rows: list[dict[str, Value]], ranks: Table) -> tuple[str, ...]:
    def shown(row: Mapping[str, Value], key: str) -> str:
        low, high = as_number(row[f"{key}_low"]), as_number(row[f"{key}_high"])
        return f"{as_number(row[key]):.2f} [{low:.2f}, {high:.2f}]"

    out = [
        f"Spearman correlation {r['runs']} ({r['count']} runs, {SHOTS} shots; 95 % bootstrap): of the predicted "
        f"surviving gradient with held-out accuracy {shown(r, 'predicted_gradient_accuracy')}, of the survival alone "
        f"{shown(r, 'survival_accuracy')}, of the predicted with the first gradient's norm "
        f"{shown(r, 'predicted_gradient_gradient_norm')}."
        for r in ranks.rows()
    ]
    greatest = max(as_number(r["scale"]) for r in rows)
    for channel in CHANNELS:
        means = [
            np.mean([as_number(r["accuracy"]) for r in rows if (r["channel"], r["scale"], r["verified"]) == key])
            for key in ((channel, greatest, False), (channel, greatest, True))
        ]
        out.append(
            f"{channel} at s = {greatest:g}: mean held-out accuracy {means[0]:.3f} without and {means[1]:.3f} with "
            "post-selection."
        )
    return tuple(out)


def draw(tables: Mapping[str, Table]) -> Figure:
    """Held-out accuracy and the first gradient's norm against the law's prediction."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    figure = Figure(figsize=(7.2, 3.3), layout="constrained")
    axes = figure.subplots(1, 2)
    rows = tables["data"].rows()
    for number, channel in enumerate(CHANNELS):
        for verified, marker in ((False, "o"), (True, "^")):
            part = [r for r in rows if r["channel"] == channel and r["verified"] == verified]
            x = [as_number(r["predicted_gradient"]) for r in part]
            label = channel + (", post-selected" if verified else "")
            for axis, key in zip(axes, ("accuracy", "gradient_norm"), strict=True):
                y = [as_number(r[key]) for r in part]
                axis.scatter(x, y, s=16, marker=marker, color=OKABE_ITO[number], alpha=0.7, linewidths=0, label=label)
    for axis, name in zip(axes, ("held-out accuracy", "norm of the first gradient of the loss"), strict=True):
        axis.set(xscale="log", xlabel="surviving gradient by the law", ylabel=name)
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.spines[["top", "right"]].set_visible(False)
    axes[1].set_yscale("log")
    axes[0].legend(fontsize=7, frameon=False)
    return figure
