"""What the user calls a model, as ours: circuits with options, and objects of other packages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equinoise.model.qnn import Model

__all__ = ["as_model"]

# what a model can be told anew beside what it states itself
_ANEW = {"noise", "prior", "at"}


def as_model(found: Any, stated: Mapping[str, Any]) -> Model:
    """The model that an object is, with what is stated beside it.

    Args:
        found: An :class:`equinoise.Model`, or a ``QuantumCircuit`` that the statement makes one.
        stated: As :class:`equinoise.Model` takes it: readouts, noise, inputs, data, labels, loss, prior, at, ...

    Raises:
        ParameterError: The object states itself what is stated again, or is none of these.
        EquinoiseError: What :class:`equinoise.Model` raises.
    """
    from qiskit import QuantumCircuit

    from equinoise.errors import ParameterError
    from equinoise.model.qnn import Model

    if isinstance(found, Model):
        return _told_anew(found, stated)
    if isinstance(found, QuantumCircuit):
        if "readouts" not in stated:
            raise ParameterError("a circuit needs --readout LABEL: what is measured, e.g. --readout Z0.")
        return Model(found, **stated)
    raise ParameterError(
        f"the object is a {type(found).__name__}; expected an eq.Model, an eq.Problem or a qiskit.QuantumCircuit. A "
        "QNode becomes a model by eq.Model.from_qnode(qnode, ...), an EstimatorQNN by eq.Model.from_qnn(qnn, ...)."
    )


def _told_anew(model: Model, stated: Mapping[str, Any]) -> Model:
    from equinoise.errors import ParameterError

    twice = sorted(set(stated) - _ANEW)
    if twice:
        raise ParameterError(
            f"the object is a Model, which states its own {twice[0]}: leave that option out. --noise, --prior and --at "
            "replace the model's."
        )
    if "noise" in stated:
        model = model.with_noise(stated["noise"])
    if "prior" in stated or "at" in stated:
        prior = stated.get("prior", model.prior)
        model = model.with_prior(prior, stated.get("at"))
    return model
