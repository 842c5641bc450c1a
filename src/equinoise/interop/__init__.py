"""Where equinoise meets other programs: a PennyLane device, and Qiskit's estimator and gradient interfaces."""
