"""Explore the paper's design space for the best network for your photographs."""
