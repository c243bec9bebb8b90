"""The papers' tables on your data: AlexNet, SVD, pruning, Deep Compression, SqueezeNet."""
