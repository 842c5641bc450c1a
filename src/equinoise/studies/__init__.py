"""Studies: many problems, one question, a table, a figure and a criterion each."""
