"""Studies: many problems, one question, a table, a figure and a criterion each."""

from equinoise.studies.reproduce import STUDIES, reproduce

__all__ = ["STUDIES", "reproduce"]
