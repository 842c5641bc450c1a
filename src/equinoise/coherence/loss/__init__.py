"""The coherence law of a model's loss."""
