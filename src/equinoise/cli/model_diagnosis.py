"""``equinoise diagnose`` of a model: around one point or along a run, and where the answer goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equinoise.cli.progress import Waiting
    from equinoise.diagnosis.loss.along_run import RunDiagnosis
    from equinoise.diagnosis.loss.loss_diagnosis import LossDiagnosis
    from equinoise.model.qnn import Model
    from equinoise.sampling import Sampling

__all__ = ["ModelAnswer", "answer_of_model"]


@dataclass(frozen=True)
class ModelAnswer:
    """The answer about a model.

    Attributes:
        source: Where the model is from.
        found: Around one point, or along a run.
    """

    source: str
    found: LossDiagnosis | RunDiagnosis

    def write(self, json_file: str | None, csv_file: str | None, html_file: str | None) -> None:
        """Files, and the terminal unless JSON goes there."""
        from equinoise.cli.json_output import shown
        from equinoise.report.files import write_whole

        if csv_file is not None:
            write_whole(csv_file, _csv(self._rows()))
        if html_file is not None:
            write_whole(html_file, self._page())
        shown(json_file, self.found.to_dict(), self._print)

    def _rows(self) -> Sequence[dict[str, Any]]:
        """Kappa's budget, or the run's table."""
        from equinoise.diagnosis.loss.along_run import RunDiagnosis
        from equinoise.report.terminal.diagnosis_table import budget_shares

        return self.found.rows() if isinstance(self.found, RunDiagnosis) else budget_shares(self.found.record)

    def _page(self) -> str:
        from equinoise.cli.commands.report import command_line
        from equinoise.diagnosis.loss.along_run import RunDiagnosis
        from equinoise.report.page.model_page import model_page, run_page

        if isinstance(self.found, RunDiagnosis):
            return run_page(self.found, self.source, command_line())
        return model_page(self.found, self.source, command_line())

    def _print(self, console: Any) -> None:
        from equinoise.diagnosis.loss.along_run import RunDiagnosis
        from equinoise.report.terminal.model_table import print_model_diagnosis, print_run

        if isinstance(self.found, RunDiagnosis):
            print_run(self.found.rows(), console)
        else:
            print_model_diagnosis(self.found.record, console, self.source)


def answer_of_model(
    model: Model,
    points: Sequence[Any],
    scale: float,
    shots: int,
    sampling: Sampling,
    waiting: Waiting,
) -> LossDiagnosis | RunDiagnosis:
    """The diagnosis of a model, or that along a run where there are several points.

    Args:
        model: With its prior around the first point, if there is one.
        points: Of ``--at``.
        scale: Noise scale s.
        shots: Per expectation value, setting and row.
        sampling: Draws of the weights.
        waiting: Told how far it is.
    """
    import equinoise as eq
    from equinoise.diagnosis.loss.along_run import diagnose_run

    if len(points) > 1:
        return diagnose_run(model, points, scale, shots=shots, sampling=sampling, progress=waiting)
    return eq.diagnose(model, scale, shots=shots, sampling=sampling, progress=waiting)


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    import csv
    import io

    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
