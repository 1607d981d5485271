"""Pictures that are copied into docs/example."""

import io

import numpy as np
from PIL import Image

from workflow.scripts.example import shrink


def test_few_pixels_of_a_strong_colour_keep_it():
    """As the strongest weights of a map: a palette made for the many would show them grey."""
    greys = np.linspace(150, 255, 200).round().astype(np.uint8)
    picture = np.repeat(np.tile(greys, (200, 1))[:, :, None], 3, axis=2)
    for place, colour in enumerate(([180, 10, 40], [30, 60, 170], [0, 0, 0])):
        picture[3 * place : 3 * place + 2, 5:7] = colour
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    shrunk = np.asarray(Image.open(io.BytesIO(shrink(out.getvalue()))).convert("RGB")).astype(int)
    assert np.abs(shrunk - picture).max() <= 12  # of 255
