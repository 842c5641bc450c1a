"""State vectors in charge sectors: noiseless gradients, kappa and trajectories."""
