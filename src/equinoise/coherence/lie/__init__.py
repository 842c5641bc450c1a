"""Variances from the dynamical Lie algebra."""
