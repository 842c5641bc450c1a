"""What the user states: circuit, readout, initial state, noise, ensemble."""
