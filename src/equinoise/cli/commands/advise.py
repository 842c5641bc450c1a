"""``equinoise advise``."""

from __future__ import annotations

from typing import Annotated

from equinoise.cli.json_output import JsonFile, checked, shown
from equinoise.cli.model_options import ModelOptions
from equinoise.cli.option_groups import grouped
from equinoise.cli.problem_options import ProblemOptions
from equinoise.cli.sampling_options import DrawOptions, Scale, simulation

__all__ = ["advise"]


@grouped
def advise(
    problem: ProblemOptions,
    model: ModelOptions,
    sampling: DrawOptions,
    scale: Scale = 1.0,
    first_samples: Annotated[int, simulation(metavar="N", help="Draws of each prediction by the law.")] = 8,
    json_file: JsonFile = None,
) -> None:
    """What would help a circuit on its device most: readout, layout, depth, mitigation, a better qubit, fewer shots?"""
    from equinoise.cli.progress import Waiting
    from equinoise.report.terminal.advice_lines import print_advice

    checked(json_file)
    with Waiting("preparing") as waiting:
        import equinoise as eq

        stated, asked = problem.stated(model), sampling.sampling()
        found = eq.advise(stated, scale, sampling=asked, first_samples=first_samples, progress=waiting)
    shown(json_file, found.to_dict(), lambda console: print_advice(found, stated, console))
