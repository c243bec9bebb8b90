"""From a trained network to verified `.tflite` and `.sqz` files: what `convert.py` does."""
