"""Does the law foretell who learns, with and without post-selection on the charge?

Designs (depth and channel) on ten qubits learn breast cancer from nine features with few shots. Before any training the
law gives each one's surviving gradient: RMS noiseless gradient of a class count times the resummed survival, over the
ensemble of uniform angles, for loaded training rows. With post-selection it is divided by the kept fraction.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qiskit.quantum_info import SparsePauliOp
from scipy.stats import spearmanr

from equinoise.coherence.law import law
from equinoise.coherence.law_record import Law
from equinoise.errors import UnsupportedError
from equinoise.evidence.frame.figure_panels import Layout, Panel, grouped
from equinoise.evidence.frame.rows import Row, Rows, Tables
from equinoise.evidence.frame.study import Context, Criterion, Study, at_most
from equinoise.problem import Problem

if TYPE_CHECKING:
    from equinoise.learn.classifier_circuit import ClassifierCircuit

__all__ = ["CHANNELS", "STUDY"]

Real = npt.NDArray[np.float64]
Laws = dict[tuple[int, str], list[Law]]

QUBITS, FEATURES, BATCH, SHOTS, RESAMPLES = 10, 9, 25, 100, 2000
CHANNELS = {"dephasing": "dephasing:0.03", "damping": "relaxation:down=0.03", "collective": "collective:0.03"}
COMPARED = (("predicted_gradient", "accuracy"), ("survival", "accuracy"), ("predicted_gradient", "gradient_norm"))


def _tables(context: Context) -> dict[str, list[Row]]:
    """A row a run ("data"), what the law says being computed before; Spearman correlations ("ranks").

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
    grid = list(itertools.product(depths, CHANNELS, scales, (False, True), range(seeds)))
    rows: list[Row] = []
    laws: Laws = {}
    for design in grid:
        options = dict(zip(("depth", "channel", "scale", "verified", "seed"), design, strict=True))
        rows.append(_run(options, parts, epochs, context, laws))
        context.tick(len(rows), len(grid))
    return {"data": rows, "ranks": [_rank(name, part, context) for name, part in _parts(Rows(rows)).items()]}


def _run(options: dict[str, Any], parts: list[Real], epochs: int, context: Context, laws: Laws) -> Row:
    """One design's training, and what the law says of it.

    Args:
        options: depth, channel, scale, verified, seed.
        parts: Training and test features, then labels.
        epochs: Of the training.
        context: Seed and workers.
        laws: Those known by depth and channel; filled.
    """
    from equinoise.learn.classifier import ChargeClassifier

    depth, channel, scale, verified, seed = options.values()
    model = ChargeClassifier(
        depth=depth,
        noise=CHANNELS[channel],
        scale=scale,
        verified=verified,
        n_qubits=QUBITS,
        shots=SHOTS,
        epochs=epochs,
        batch_size=BATCH,
        seed=seed,
        workers=context.workers,
    ).fit(parts[0], parts[2])
    vectors = model.encoding_.vectors(parts[0][:BATCH])
    numbers = np.searchsorted(model.classes_, parts[2][:BATCH])
    noisy, norm = _first_gradient(options, CHANNELS[channel], vectors, numbers, context)
    _, noiseless = _first_gradient(options, None, vectors, numbers, context)
    kept = float(np.mean(_kept(noisy, noisy.loaded(vectors))))
    if (depth, channel) not in laws:
        laws[depth, channel] = _laws(noisy, vectors[:2], context)
    gradient, survival = _predicted(laws[depth, channel], noisy.trained.size, scale)
    return {
        **options,
        "kept": kept,
        "survival": survival / (kept if verified else 1.0),
        "predicted_gradient": gradient * survival / (kept if verified else 1.0),
        "gradient_norm": norm,
        "noiseless_norm": noiseless,
        "accuracy": float(model.score(parts[1], parts[3])),
        "loss": model.history_[-1].loss,
    }


def _first_gradient(
    options: dict[str, Any], noise: str | None, vectors: Real, numbers: Any, context: Context
) -> tuple[ClassifierCircuit, float]:
    """The untrained model under a noise, and the norm of the loss's gradient at its first weights."""
    from equinoise.learn.classifier_circuit import ClassifierCircuit, Design
    from equinoise.learn.training import first_weights, loss_and_gradient

    depth, scale, verified = (options[name] for name in ("depth", "scale", "verified"))
    model = ClassifierCircuit(
        Design(QUBITS, 2, depth=depth, noise=noise, scale=scale, verified=verified), context.workers
    )
    start = first_weights(model, options["seed"])
    return model, float(np.linalg.norm(loss_and_gradient(model, start, model.loaded(vectors), numbers)[2][0]))


def _kept(model: ClassifierCircuit, states: Real) -> Real:
    """Share of the shots that pass: what is left in the input's charge at the end, whatever the angles."""
    identity = model.program.operator_entries(SparsePauliOp("I" * model.design.num_qubits), model.design.excitations)
    return model.expectations(np.zeros(model.trained.size), states, (identity,))


def _laws(model: ClassifierCircuit, vectors: Real, context: Context) -> list[Law]:
    """The law of a class count, over uniform angles, for each of some loaded rows."""
    names = {model.problem.parameters[k]: i for i, k in enumerate(model.data)}
    count = SparsePauliOp.from_sparse_list([("Z", [q], -0.5) for q in range(0, QUBITS, 2)], num_qubits=QUBITS)
    out = []
    for row in model.loader.angles(vectors):
        bound = model.problem.circuit.assign_parameters({p: row[i] for p, i in names.items()})
        problem = Problem(bound, count, initial=model.loader.initial, noise=model.design.noise)
        out.append(law(problem, sampling=context.sampling(8, "training", "law", engine="exact")))
    return out


def _predicted(laws: list[Law], angles: int, scale: float) -> tuple[float, float]:
    """RMS noiseless gradient of a class count per angle, and its survival."""
    variance, squared = np.mean([(one.variance / angles, float(one.survival(scale)) ** 2) for one in laws], axis=0)
    return math.sqrt(variance), math.sqrt(squared)


def _parts(rows: Rows) -> dict[str, Rows]:
    plain, checked = rows.where(verified=False), rows.where(verified=True)
    return {"without post-selection": plain, "with post-selection": checked, "all": rows}


def _rank(name: str, rows: Rows, context: Context) -> Row:
    out: Row = {"runs": name, "count": len(rows)}
    rng = np.random.default_rng(context.seed_for("training", "bootstrap", name))
    for x, y in COMPARED:
        a, b = rows.column(x), rows.column(y)
        resampled = []
        for _ in range(RESAMPLES // 4 if context.quick else RESAMPLES):
            pick = rng.integers(0, len(rows), len(rows))
            if np.ptp(a[pick]) > 0 and np.ptp(b[pick]) > 0:
                resampled.append(float(spearmanr(a[pick], b[pick]).statistic))
        low, high = np.percentile(resampled, [2.5, 97.5])
        key = f"{x}_{y}"
        out |= {key: float(spearmanr(a, b).statistic), f"{key}_low": float(low), f"{key}_high": float(high)}
    return out


def _criteria(tables: Tables) -> list[Criterion]:
    rows = Rows({**r, "ratio": r["gradient_norm"] / r["noiseless_norm"]} for r in tables["data"])
    plain, checked = (rows.where(channel="dephasing", verified=verified).column("ratio") for verified in (False, True))
    damped, still = rows.where(channel="damping", verified=True), rows.where(channel="collective")
    away = "distance of the gradient norm from the noiseless one"
    return [
        at_most(f"damping, post-selected: {away}", damped.largest_size("ratio", 1.0), 1e-9),
        at_most("dephasing: what post-selection changes in the gradient norm", np.abs(plain - checked).max(), 1e-9),
        at_most(f"collective dephasing: {away}", still.largest_size("ratio", 1.0), 1e-9),
    ]


def _findings(tables: Tables) -> list[str]:
    def shown(row: Row, x: str, y: str) -> str:
        key = f"{x}_{y}"
        return f"{row[key]:.2f} [{row[f'{key}_low']:.2f}, {row[f'{key}_high']:.2f}]"

    out = [
        f"Spearman correlation {r['runs']} ({r['count']} runs, {SHOTS} shots; 95 % bootstrap): of the predicted "
        f"surviving gradient with held-out accuracy {shown(r, *COMPARED[0])}, of the survival alone "
        f"{shown(r, *COMPARED[1])}, of the predicted with the first gradient's norm {shown(r, *COMPARED[2])}."
        for r in tables["ranks"]
    ]
    greatest = tables["data"].largest("scale")
    for channel, rows in tables["data"].where(scale=greatest).by("channel").items():
        plain, checked = (rows.where(verified=verified).column("accuracy").mean() for verified in (False, True))
        out.append(
            f"{channel} at s = {greatest:g}: mean held-out accuracy {plain:.3f} without and {checked:.3f} with "
            "post-selection."
        )
    return out


def _figure(tables: Tables) -> Layout:
    """Held-out accuracy and the first gradient's norm against the law's prediction."""
    groups = {
        channel + (", post-selected" if verified else ""): part
        for verified, rows in tables["data"].by("verified").items()
        for channel, part in rows.by("channel").items()
    }
    law = "surviving gradient by the law"
    accuracy = grouped(groups, "predicted_gradient", "accuracy", alpha=0.7)
    norms = grouped(groups, "predicted_gradient", "gradient_norm", alpha=0.7)
    return Layout(
        [
            Panel(accuracy, law, "held-out accuracy", log="x"),
            Panel(norms, law, "norm of the first gradient of the loss", log="xy", legend=""),
        ],
        (8.6, 3.3),
        columns=2,
    )


STUDY = Study(_tables, _criteria, _findings, _figure)
