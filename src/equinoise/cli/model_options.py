"""The options that make a circuit a model: data, labels, loss, prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from equinoise.cli.option_groups import panel

__all__ = ["ModelOptions"]

_model = panel("Model")


@dataclass(frozen=True)
class ModelOptions:
    """What states a model beside a problem; named as in :class:`equinoise.Model`."""

    data: Annotated[str | None, _model(metavar="CSV", help="A row of inputs each.")] = None
    labels: Annotated[str | None, _model(metavar="CSV", help="Or a column of the data.")] = None
    inputs: Annotated[list[str] | None, _model(metavar="NAME", help="Parameters that the data binds.")] = None
    loss: Annotated[str | None, _model(metavar="NAME", help="mean (default), mse, logistic, cross-entropy.")] = None
    prior: Annotated[
        list[str] | None,
        _model(metavar="NAME", help="uniform, uniform:W, normal:W, a file; NAME= of one."),
    ] = None
    at: Annotated[list[str] | None, _model(metavar="FILE", help="Weights to draw around; several: along a run.")] = None

    rows: Annotated[int | None, _model(metavar="N", help="A draw, to stand for all.", show_default="10 s of them")] = (
        None
    )

    def told(self) -> dict[str, Any]:
        """What was given, as :class:`equinoise.Model` takes it; of several points the first."""
        names = ("data", "labels", "inputs", "loss")
        told = {name: getattr(self, name) for name in names if getattr(self, name)}
        if self.prior:
            told["prior"] = _prior(self.prior)
        return told | ({"at": self.points()[0]} if self.at else {})

    def points(self) -> list[Any]:
        """The weights of each point of ``--at``: a file holds one, or several as rows."""
        from equinoise.ensemble import parameter_values

        values = [parameter_values(file) for file in self.at or ()]
        return [point for each in values for point in (each if getattr(each, "ndim", 1) == 2 else [each])]


def _prior(given: list[str]) -> Any:
    """One prior for all weights, or NAME=PRIOR for each group of them; a prior may be a number."""
    from equinoise.errors import ParameterError

    groups = dict(part.split("=", 1) for part in given if "=" in part)
    if not groups and len(given) == 1:
        return given[0]
    if len(groups) < len(given):
        raise ParameterError(
            f"--prior is given {len(given)} times: each of several must be a group, NAME=PRIOR, such as w=normal:0.1, "
            "with '*' for all other weights and each name once."
        )
    return {name: _number_or_text(value) for name, value in groups.items()}


def _number_or_text(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value
