"""Models: circuits with data, weights, readouts and a loss."""
