"""Grids of diagnoses into one store."""
