"""``equinoise engines``."""

from __future__ import annotations

from equinoise.cli.json_output import JsonFile, checked, shown
from equinoise.cli.model_options import ModelOptions
from equinoise.cli.option_groups import grouped
from equinoise.cli.problem_options import ProblemOptions
from equinoise.cli.sampling_options import Samples

__all__ = ["engines"]

_SCHEMA = "equinoise.engines/1"


@grouped
def engines(problem: ProblemOptions, model: ModelOptions, samples: Samples = None, json_file: JsonFile = None) -> None:
    """Which engines can serve a problem, at what cost, with what error, and which one auto takes."""
    import math
    from dataclasses import asdict

    from equinoise.cli.progress import Waiting
    from equinoise.report.terminal.engines_table import print_engines

    checked(json_file)
    with Waiting("preparing"):
        from equinoise.diagnosis.drawing import gradients_of
        from equinoise.diagnosis.loss.loss_diagnosis import LOSS_SWEEPS
        from equinoise.engines.loss_gradient import choose_for_model, model_declarations
        from equinoise.engines.select import choose, declarations
        from equinoise.model.qnn import Model
        from equinoise.sampling import Sampling

        count = Sampling.of(Sampling(samples), samples=128).count
        stated = problem.stated(model)
        if isinstance(stated, Model):
            found = model_declarations(stated)
            chosen, reason = choose_for_model(stated, Sampling(count), draws=LOSS_SWEEPS * count)
        else:
            found = declarations(stated)
            chosen, reason = choose(stated, draws=gradients_of(count))
    rows = [{k: (None if isinstance(v, float) and math.isnan(v) else v) for k, v in asdict(d).items()} for d in found]
    data = {"schema": _SCHEMA, "auto": chosen, "reason": reason, "engines": rows}
    shown(json_file, data, lambda console: print_engines(stated, found, chosen, reason, console))
