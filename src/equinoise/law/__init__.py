"""The coherence law: rates, fixed points, resummation, bounds."""
