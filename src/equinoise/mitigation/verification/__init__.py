"""Symmetry verification: post-selection on the measured charge."""
