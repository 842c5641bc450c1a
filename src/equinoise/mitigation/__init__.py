"""Mitigation judged by gradients: symmetry verification and dynamical decoupling."""
