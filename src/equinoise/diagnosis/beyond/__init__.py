"""Verdicts about circuits that no engine can simulate."""
