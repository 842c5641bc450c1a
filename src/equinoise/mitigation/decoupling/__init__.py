"""Dynamical decoupling on idle windows."""
