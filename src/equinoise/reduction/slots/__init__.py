"""A slot's noise on the cone's qubits."""
