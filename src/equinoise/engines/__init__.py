"""Noisy values and gradients of a compiled problem."""
