"""Devices: their calibrations as noise on a circuit's layers."""
