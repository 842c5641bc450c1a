"""Pages whose examples need a package that ``make venv`` leaves out: CI has them all."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["torch_layers.md"]
