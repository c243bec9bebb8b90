"""Post-training quantization: int8 with float's answers in the fewest archive bytes."""
