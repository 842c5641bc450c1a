"""What to change: advice, rankings of designs, layouts."""
