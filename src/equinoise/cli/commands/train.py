"""``equinoise train``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from equinoise.cli.json_output import JsonFile, checked, output, shown
from equinoise.cli.option_groups import panel
from equinoise.cli.sampling_options import Scale, Seed, Workers
from equinoise.cli.terminal import say

if TYPE_CHECKING:
    from equinoise.learn.evaluation import Trained

__all__ = ["train"]

_circuit, _training = panel("Circuit"), panel("Training")


_Data = Annotated[
    str,
    typer.Option(metavar="NAME", help="digits (8 x 8 pixels) or breast-cancer (30 features).", show_default=False),
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
    data: _Data,
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
    """Train a charge-conserving classifier under noise on real data, and judge it on rows held out."""
    from equinoise.cli.progress import Waiting
    from equinoise.errors import UnsupportedError

    checked(json_file)
    try:
        from equinoise.learn.evaluation import train_on
    except ImportError:
        raise UnsupportedError('training needs scikit-learn: pip install "equinoise[learn]".') from None
    settings: dict[str, Any] = {
        "n_qubits": qubits,
        "excitations": excitations,
        "depth": depth,
        "interaction": interaction,
        "noise": "+".join(noise) if noise else None,
        "scale": scale,
        "verified": verified,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "scaling": scaling,
        "shots": shots,
        "seed": seed,
        "workers": workers,
    }
    with Waiting("preparing") as waiting:
        found = train_on(data, twin=twin, checkpoint=checkpoint, progress=waiting, **settings)
    shown(json_file, found.to_dict(), lambda _: _print(found))


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
