"""What every study stands on: the grid, tables, criteria, the runner."""
