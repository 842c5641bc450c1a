"""Density matrices in the commutant of a group."""
