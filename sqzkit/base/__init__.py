"""What every package builds on: errors, files, JSON records, progress. Knows no other package."""

__version__ = "0.1.0"
