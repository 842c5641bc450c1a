"""Circuits as the rest of the house sees them: gates, blocks, layers, and builders of equivariant ones."""
