"""Questions that are asked of a problem or of a model: the one place where it is decided whose answer is given."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from equinoise.errors import ParameterError, UnsupportedError
from equinoise.model.qnn import Model
from equinoise.problem import Problem

__all__ = ["Asked", "also_of_models", "of_problems_alone"]

P = ParamSpec("P")
M = ParamSpec("M")
T_co = TypeVar("T_co", covariant=True)
A_co = TypeVar("A_co", covariant=True)
T = TypeVar("T")
A = TypeVar("A")


class Asked(Protocol, Generic[P, T_co, M, A_co]):
    """A question with an answer for a problem, and one for a model."""

    @overload
    def __call__(self, problem: Problem, /, *args: P.args, **kwargs: P.kwargs) -> T_co: ...

    @overload
    def __call__(self, model: Model, /, *args: M.args, **kwargs: M.kwargs) -> A_co: ...


def also_of_models(
    of_model: Callable[Concatenate[Model, M], A],
) -> Callable[[Callable[Concatenate[Problem, P], T]], Asked[P, T, M, A]]:
    """Makes a question about a problem one about a model, too.

    Args:
        of_model: Answers it for a model.
    """

    def asked(of_problem: Callable[Concatenate[Problem, P], T]) -> Asked[P, T, M, A]:
        # the answers live in rooms above this one, and none is called from here: Python's own dispatch does
        def refused(subject: Any, /, *args: Any, **kwargs: Any) -> Any:
            raise ParameterError(_refusal(subject, of_problem.__name__))

        question = functools.singledispatch(refused)
        question.register(Problem, of_problem)
        question.register(Model, of_model)
        return cast("Asked[P, T, M, A]", functools.update_wrapper(question, of_problem))

    return asked


def of_problems_alone(
    reason: str,
) -> Callable[[Callable[Concatenate[Problem, P], T]], Callable[Concatenate[Problem, P], T]]:
    """Makes a question refuse a model, and say why.

    Args:
        reason: Why it is not asked of a model, and what is asked instead.
    """

    def asked(of_problem: Callable[Concatenate[Problem, P], T]) -> Callable[Concatenate[Problem, P], T]:
        name = of_problem.__name__

        def refused(model: Model, /, *args: Any, **kwargs: Any) -> Any:
            raise UnsupportedError(f"{name} takes a Problem and no Model: {reason}")

        return cast("Callable[Concatenate[Problem, P], T]", also_of_models(refused)(of_problem))

    return asked


# by the package that an object comes from and its class: what states it as ours
_FOREIGN = {
    ("qiskit", "QuantumCircuit"): "state eq.Problem(circuit, readout=...), or eq.Model(circuit, readouts, ...)",
    ("pennylane", "QNode"): "state eq.Model.from_qnode(qnode, ...)",
    ("qiskit_machine_learning", "EstimatorQNN"): "state eq.Model.from_qnn(qnn, ...)",
}


def _refusal(subject: Any, name: str) -> str:
    origins = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(subject).__mro__}
    known = next((remedy for origin, remedy in _FOREIGN.items() if origin in origins), None)
    remedy = known or "state eq.Problem(circuit, readout=...), or eq.Model(circuit, readouts, ...)"
    return f"{name} is asked of a Problem or a Model, got {type(subject).__name__}: {remedy}."
