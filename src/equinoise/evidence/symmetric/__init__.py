"""Studies of symmetries beyond the charge, and of circuits without any."""
