"""Noise: terms, the model that places them, and what is read from files and other packages."""
