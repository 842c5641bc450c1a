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
    loss: Annotated[
        str | None, _model(metavar="NAME", help="mean, mse, logistic or cross-entropy.", show_default="mean")
    ] = None
    prior: Annotated[str | None, _model(metavar="NAME", help="Of weights: uniform, uniform:W, normal:W, file.")] = None
    at: Annotated[
        list[str] | None, _model(metavar="FILE", help="Weights around which the prior lies; several: along a run.")
    ] = None

    def told(self) -> dict[str, Any]:
        """What was given, as :class:`equinoise.Model` takes it; of several points the first."""
        names = ("data", "labels", "inputs", "loss", "prior")
        told = {name: getattr(self, name) for name in names if getattr(self, name)}
        return told | ({"at": self.points()[0]} if self.at else {})

    def points(self) -> list[Any]:
        """The weights of each point of ``--at``: a file holds one, or several as rows."""
        from equinoise.ensemble import parameter_values

        values = [parameter_values(file) for file in self.at or ()]
        return [point for each in values for point in (each if getattr(each, "ndim", 1) == 2 else [each])]
