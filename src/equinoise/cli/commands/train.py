"""``equinoise train``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from equinoise.cli.json_output import JsonFile, checked, output, shown
from equinoise.cli.option_groups import panel
from equinoise.cli.sampling_options import Scale, Seed, Workers
from equinoise.cli.terminal import say

if TYPE_CHECKING:
    from equinoise.cli.progress import Waiting
    from equinoise.learn.evaluation import Trained
    from equinoise.learn.model_training import TrainedModel

__all__ = ["train"]

_circuit, _training = panel("Circuit"), panel("Training")


_Source = Annotated[
    str | None,
    typer.Argument(
        metavar="SOURCE", help="module.py:object, an eq.Model of your own; runs the module.", show_default=False
    ),
]
_Data = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Instead of SOURCE: the built-in classifier on digits (8 x 8 pixels) or breast-cancer (30 features).",
        show_default=False,
    ),
]
_Qubits = Annotated[
    int | None,
    _circuit(
        metavar="N",
        help="At least one per feature.",
        show_default="one more per excitation, which carries a constant",
    ),
]
_Excitations = Annotated[int, _circuit(metavar="Q", help="1, or 2.")]
_Depth = Annotated[int, _circuit(metavar="L", help="Layers that are trained.")]
_Interaction = Annotated[str, _circuit(metavar="NAME", help="none or rzz.")]
_Noise = Annotated[
    list[str] | None,
    _circuit(metavar="SPEC", help="As for diagnose, e.g. dephasing:0.002.", show_default="none"),
]
_Verified = Annotated[bool, _circuit("--verified", help="Post-select on the charge of the input.")]
_Epochs = Annotated[int, _training(metavar="N", help="Passes over the data.")]
_BatchSize = Annotated[int, _training(metavar="N", help="Rows per step.")]
_LearningRate = Annotated[float, _training(metavar="RATE", help="Adam's.")]
_Scaling = Annotated[str, _training(metavar="NAME", help="standard, maxabs or none.")]
_Shots = Annotated[
    int | None,
    _training(metavar="N", help="Per sample and evaluation.", show_default="exact numbers"),
]
_Twin = Annotated[bool, _training("--twin", help="Also train without noise.")]
_Checkpoint = Annotated[
    str | None,
    output(
        metavar="DIR",
        help="Folder written after every batch; the same command goes on from it.",
    ),
]


def train(
    source: _Source = None,
    data: _Data = None,
    qubits: _Qubits = None,
    excitations: _Excitations = 1,
    depth: _Depth = 12,
    interaction: _Interaction = "none",
    noise: _Noise = None,
    scale: Scale = 1.0,
    verified: _Verified = False,
    epochs: _Epochs = 20,
    batch_size: _BatchSize = 32,
    learning_rate: _LearningRate = 0.03,
    scaling: _Scaling = "maxabs",
    shots: _Shots = None,
    seed: Seed = 0,
    workers: Workers = None,
    twin: _Twin = False,
    checkpoint: _Checkpoint = None,
    json_file: JsonFile = None,
) -> None:
    """Train a model of your own under noise, or a charge-conserving classifier judged on rows held out."""
    from equinoise.cli.progress import Waiting
    from equinoise.errors import ParameterError, UnsupportedError

    checked(json_file)
    if (source is None) == (data is None):
        raise ParameterError(
            "train takes either a SOURCE, module.py:object, or --data NAME for the built-in classifier."
        )
    try:
        from equinoise.learn.evaluation import train_on
    except ImportError:
        raise UnsupportedError('training needs scikit-learn: pip install "equinoise[learn]".') from None
    plan: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "shots": shots,
        "seed": seed,
    }
    stated_noise = "+".join(noise) if noise else None
    circuit: dict[str, Any] = {
        "n_qubits": qubits,
        "excitations": excitations,
        "depth": depth,
        "interaction": interaction,
        "verified": verified,
        "scaling": scaling,
    }
    running: dict[str, Any] = {"twin": twin, "checkpoint": checkpoint, "scale": scale, "workers": workers}
    with Waiting("preparing") as waiting:
        if source is not None:
            _refuse_circuit(circuit)
            own = _own_model(source, stated_noise, plan, waiting, running)
        else:
            found = train_on(data or "", noise=stated_noise, progress=waiting, **running, **plan, **circuit)
    if source is not None:
        shown(json_file, {"source": source, **own.to_dict()}, lambda _: _print_model(source, own))
    else:
        shown(json_file, found.to_dict(), lambda _: _print(found))


# what the built-in classifier's circuit is made of, where nothing is said
_CIRCUIT = {
    "n_qubits": None,
    "excitations": 1,
    "depth": 12,
    "interaction": "none",
    "verified": False,
    "scaling": "maxabs",
}


def _refuse_circuit(circuit: dict[str, Any]) -> None:
    from equinoise.errors import ParameterError

    stated = [name for name, value in circuit.items() if value != _CIRCUIT[name]]
    if stated:
        option = "--qubits" if stated[0] == "n_qubits" else f"--{stated[0]}"
        raise ParameterError(
            f"{option} is for the built-in classifier (--data): a model of your own states its circuit."
        )


def _own_model(
    source: str, noise: str | None, plan: dict[str, Any], waiting: Waiting, running: dict[str, Any]
) -> TrainedModel:
    from equinoise.cli.as_model import as_model
    from equinoise.cli.python_object import is_python_object, python_object
    from equinoise.errors import SourceError
    from equinoise.learn.descent import Plan
    from equinoise.learn.model_training import train as train_model

    if not is_python_object(source):
        raise SourceError(f"cannot train {source!r}: expected module.py:object, an eq.Model in a Python file.")
    model = as_model(python_object(source), {} if noise is None else {"noise": noise})
    return train_model(model, Plan(**plan), progress=lambda done, total: waiting("training", done, total), **running)


def _print_model(source: str, found: TrainedModel) -> None:
    say(f"{source}: {found.theta.size} weights, noise scale {found.scale:g}, engine {found.engine}")
    say("epoch      loss  accuracy  gradient norm  loss without noise  accuracy without noise")
    for one in found.history:
        say(
            f"{one.epoch:>5}  {one.loss:8.4f}  {_share(one.accuracy):>8}  {one.gradient_norm:13.3g}  "
            f"{one.noiseless_loss:18.4f}  {_share(one.noiseless_accuracy):>22}"
        )
    say(f"trained: loss {found.loss:.4f}, accuracy {_share(found.accuracy)}")
    say(f"the same weights without noise: loss {found.noiseless_loss:.4f}, accuracy {_share(found.noiseless_accuracy)}")
    if found.twin is not None:
        say(f"trained without noise: loss {found.twin.loss:.4f}, accuracy {_share(found.twin.accuracy)}")
    for note in found.warnings:
        say(f"note: {note}")
    say(f"{found.seconds:.1f} s")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _print(found: Trained) -> None:
    say(f"{found.data}: {found.rows} rows, {found.held_out_rows} held out; {found.parameters} angles trained")
    say("epoch     loss  accuracy  gradient norm")
    for one in found.history:
        say(f"{one.epoch:>5}  {one.loss:7.4f}  {one.accuracy:8.3f}  {one.gradient_norm:13.3g}")
    say(f"held-out accuracy {found.accuracy:.3f} (training rows {found.training_accuracy:.3f})")
    say(f"the same weights read out without noise: {found.noiseless_readout:.3f}")
    if found.twin is not None:
        say(f"trained without noise: {found.twin.accuracy:.3f} (training rows {found.twin.training_accuracy:.3f})")
    say(f"{found.seconds:.1f} s")
