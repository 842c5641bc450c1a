"""Random events along a trajectory: split by the first, their record, and channels drawn by Born probabilities."""
