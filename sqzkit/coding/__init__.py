"""Entropy coders and containers; nothing here imports TensorFlow."""
