"""SquishedNets: evolve a trained network into smaller dense ones."""
