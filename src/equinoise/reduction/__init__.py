"""From a problem to the least that must be computed: light cone, charge sectors, compiled program."""
