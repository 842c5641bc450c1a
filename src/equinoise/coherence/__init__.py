"""The coherence law: rates, survival, bounds, fixed points."""
