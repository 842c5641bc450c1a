"""``equinoise rank``."""

from __future__ import annotations

from typing import Annotated

import typer

from equinoise.cli.json_output import JsonFile, checked, output, shown
from equinoise.cli.option_groups import grouped, panel
from equinoise.cli.sampling_options import SamplingOptions, Scale, simulation

__all__ = ["rank"]

_task = panel("Task")


_Qubits = Annotated[int, _task(metavar="N", help="Number of qubits.")]
_Readout = Annotated[
    list[str],
    _task(
        metavar="LABEL",
        help="What is measured, e.g. Z5 or X2X3+Y2Y3; several, given one by one, are candidates.",
    ),
]
_Noise = Annotated[
    list[str] | None,
    _task(
        metavar="SPEC",
        help="The noise, as for diagnose; several, given one by one, are ranked beside each other (a + joins terms "
        "that act together).",
    ),
]
_Device = Annotated[
    list[str] | None,
    _task(
        metavar="NAME",
        help="A device snapshot, the same as --noise ibm:NAME; several are ranked beside each other.",
    ),
]
_Charge = Annotated[
    int | None,
    _task(
        metavar="Q",
        help="Charge of the input, its excitations spread evenly.",
        show_default="half of the qubits, rounded up",
    ),
]
_MaxParameters = Annotated[
    int | None,
    _task(
        metavar="K",
        help="Leave out circuits with more parameters.",
        show_default="no budget",
    ),
]
_Family = Annotated[
    list[str] | None,
    _task(
        metavar="NAME",
        help="brickwork, ladder, ring or all-to-all; several separated by commas or given one by one.",
        show_default="all",
    ),
]
_Interaction = Annotated[
    list[str] | None,
    _task(
        metavar="NAME",
        help="rzz, cphase or none; several likewise.",
        show_default="rzz",
    ),
]
_Depth = Annotated[
    list[str] | None,
    _task(
        metavar="L",
        help="Number of layers; several likewise, e.g. 2,4,6.",
        show_default="2,4,6",
    ),
]
_LayoutSearch = Annotated[
    bool,
    _task(help="On devices also search the layout by the law's budget, beside Qiskit's."),
]
_FirstSamples = Annotated[
    int,
    simulation(
        metavar="N",
        help="Draws of every design; only the best that cannot be told apart get more.",
    ),
]
_Top = Annotated[
    int | None,
    output(metavar="N", min=1, help="Print the best only.", show_default="all"),
]


@grouped
def rank(
    qubits: _Qubits,
    readout: _Readout,
    sampling: SamplingOptions,
    noise: _Noise = None,
    device: _Device = None,
    charge: _Charge = None,
    max_parameters: _MaxParameters = None,
    family: _Family = None,
    interaction: _Interaction = None,
    depth: _Depth = None,
    layout_search: _LayoutSearch = True,
    scale: Scale = 1.0,
    first_samples: _FirstSamples = 16,
    top: _Top = None,
    json_file: JsonFile = None,
) -> None:
    """Which design, and where on which device, keeps the largest gradient per unit of shots?"""
    from equinoise.cli.progress import Waiting
    from equinoise.report.terminal.ranking_table import print_ranking

    checked(json_file)
    depths = _whole_numbers(_listed(depth, "2,4,6"))
    worlds = [*(noise or []), *(f"ibm:{name.removeprefix('ibm:')}" for name in device or [])]
    with Waiting("preparing") as waiting:
        import equinoise as eq
        from equinoise.design.design_space import FAMILIES
        from equinoise.errors import ParameterError

        if not worlds:
            raise ParameterError("say under which noise: --device NAME (see equinoise devices) or --noise SPEC.")
        space = eq.DesignSpace(
            qubits,
            readout,
            family=_listed(family, ",".join(FAMILIES)),
            interaction=_listed(interaction, "rzz"),
            depth=depths,
            charge=charge,
            max_parameters=max_parameters,
        )
        found = eq.rank(
            space,
            worlds,
            scale,
            sampling=sampling.sampling(),
            first_samples=first_samples,
            layout_search=layout_search,
            progress=waiting,
        )
    shown(json_file, found.to_dict(), lambda console: print_ranking(found, console, top))
    if not found.designs:
        raise typer.Exit(1)


def _listed(values: list[str] | None, default: str) -> list[str]:
    """Options given one by one or separated by commas."""
    return [part.strip() for value in values or [default] for part in value.split(",") if part.strip()]


def _whole_numbers(values: list[str]) -> list[int]:
    from equinoise.errors import ParameterError
    from equinoise.limits import whole_number

    numbers = []
    for value in values:
        number = whole_number(value)
        if number is None:
            raise ParameterError(f"--depth must list whole numbers >= 1, e.g. 2,4,6; got {value!r}.")
        numbers.append(number)
    return numbers
