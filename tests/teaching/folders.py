"""Folders of made photographs, whose classes differ in their colors."""

import numpy as np
from PIL import Image


def save_photographs(folder, counts, seed=0, side=40):
    """Save `counts` PNG photographs by class: a color of the class's own, with noise."""
    random = np.random.default_rng(seed)
    for number, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        color = np.random.default_rng([7, number]).integers(0, 256, 3)
        for index in range(count):
            noise = random.normal(0, 60, (side // 4, side // 4, 3)).repeat(4, 0).repeat(4, 1)
            pixels = np.clip(color + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")
    return folder
