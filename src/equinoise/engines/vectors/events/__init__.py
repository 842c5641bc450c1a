"""Random events along a trajectory: which come first, their record, and channels drawn by Born probabilities."""
