"""One process each: what is measured, ours and the others'. None imports TensorFlow but ours."""
