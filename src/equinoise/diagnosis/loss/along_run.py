"""Trainability along a training run: the diagnosis of a model around each of its checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from equinoise.diagnosis.loss.loss_diagnosis import LossDiagnosis, diagnose_loss
from equinoise.errors import ParameterError
from equinoise.model.qnn import Model
from equinoise.sampling import Sampling
from equinoise.text.notebook import facts_text, rows_html, short

__all__ = ["RunDiagnosis", "diagnose_run"]

RUN_SCHEMA = "equinoise.run-diagnosis/1"
RUN_FIELDS = ("point", "verdict", "rms_noiseless", "rms_noisy", "resolved_rms", "survival", "direction", "kappa")


@dataclass(frozen=True)
class RunDiagnosis:
    """The diagnoses of a model along a run.

    Attributes:
        points: One a checkpoint, in the order given; all draws of the weights have the same distances to it.
    """

    points: tuple[LossDiagnosis, ...]

    def rows(self) -> list[dict[str, Any]]:
        """A row a checkpoint, with the keys :data:`RUN_FIELDS`; RMS gradients per weight and radian."""
        out = []
        for number, one in enumerate(self.points):
            point = one.law.points[0]
            values = (
                number,
                one.verdict.word,
                one.noiseless_rms.value,
                one.noisy_rms.value,
                one.resources.resolved_rms,
                point.survival.value,
                point.direction.value,
                one.law.kappa,
            )
            out.append(dict(zip(RUN_FIELDS, values, strict=True)))
        return out

    def to_dict(self) -> dict[str, Any]:
        """The records of all points, as plain data for JSON."""
        return {"schema": RUN_SCHEMA, "points": [one.to_dict() for one in self.points]}

    def __str__(self) -> str:
        facts = {
            f"point {row['point']}": f"{row['verdict']}: RMS gradient {short(row['rms_noiseless'])} without noise, "
            f"{short(row['rms_noisy'])} with (shots resolve {short(row['resolved_rms'])}), R = "
            f"{short(row['survival'])}, direction {short(row['direction'])}, kappa {short(row['kappa'])}"
            for row in self.rows()
        }
        return facts_text("trainability along a run", facts)

    def _repr_html_(self) -> str:
        names = [name.replace("_", " ") for name in RUN_FIELDS]
        return rows_html("trainability along a run", names, [list(row.values()) for row in self.rows()])


def diagnose_run(
    model: Model,
    points: Iterable[Any],
    scale: float = 1.0,
    *,
    shots: int = 10_000,
    rows: int | None = None,
    sampling: Sampling | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> RunDiagnosis:
    """Whether a model is trainable around each checkpoint of a run: its prior is moved to one after the other.

    Args:
        model: The model; its prior has a width ("normal:W", "uniform:W").
        points: Weights, each of shape (W,), radians (or a mapping, or a file), in the order of the run.
        scale: Noise scale s.
        shots: Per expectation value, measurement setting and row.
        rows: Rows of each draw that stand for all; see :func:`equinoise.loss_law`.
        sampling: As for :func:`equinoise.diagnosis.loss.loss_diagnosis.diagnose_loss`.
        progress: Called with (stage, done, total) of each point.

    Raises:
        ParameterError: No points, points that do not fit, or a prior without a width.
        EquinoiseError: As in the diagnosis of a model.

    Example:
        >>> import equinoise as eq
        >>> from equinoise.diagnosis.loss.along_run import diagnose_run
        >>> circuit = eq.circuits.brickwork(4, depth=2, shared=True)
        >>> model = eq.Model(circuit, "Z1", initial="neel", noise="dephasing:0.01", prior="normal:0.1")
        >>> found = diagnose_run(model, [[0.1] * 6, [0.8] * 6], sampling=eq.Sampling(samples=32))
        >>> [row["verdict"] for row in found.rows()]
        ['trainable', 'trainable']
    """
    around = [model.with_prior(model.prior, at=point) for point in points]
    if not around:
        raise ParameterError("points is empty: give the weights of at least one checkpoint.")
    return RunDiagnosis(
        tuple(
            diagnose_loss(each, scale, shots=shots, rows=rows, sampling=sampling, progress=progress) for each in around
        )
    )
