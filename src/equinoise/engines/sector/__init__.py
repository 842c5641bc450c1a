"""Density matrices in charge sectors."""
