"""Releases of a model in a static folder: published there, and fetched by the cheapest way."""
