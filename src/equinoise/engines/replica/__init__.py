"""Ensemble averages without sampling, on two replicas."""
