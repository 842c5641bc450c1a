"""Studies that test the law."""
