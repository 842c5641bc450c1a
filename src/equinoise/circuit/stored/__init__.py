"""Circuits as files and messages hold them: OpenQASM text, QPY headers, a digest of the instructions."""
