"""Density matrices of permutation-equivariant circuits, in spin blocks."""
