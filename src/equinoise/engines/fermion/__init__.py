"""Free fermions: correlation matrices."""
