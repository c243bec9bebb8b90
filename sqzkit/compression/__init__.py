"""Deep Compression: pruning, trained quantization, and what each must keep."""
