"""Teach a converted model new classes from a few photographs, without TensorFlow."""
