"""Exploration of the design space and evolutionary synthesis."""
