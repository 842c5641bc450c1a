"""Compiled circuits: the charge that they hide, and the frames in which they conserve it."""
