"""equinoise: whether the gradients of a charge-conserving quantum circuit survive the noise of a real device."""
