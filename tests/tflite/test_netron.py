"""Netron, in a real browser, shows every field of our files.

It lives in an environment of its own, with selenium, and needs Chromium and its
driver: set SQZKIT_NETRON_PYTHON to that environment's interpreter. SQZKIT_NETRON_PICTURES
may name a folder for pictures of its page.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sqzkit.conversion.converter import convert_model
from sqzkit.conversion.options import ConversionOptions
from sqzkit.tflite.metadata import Description

CLIENT = Path(__file__).parent / "netron_client.py"
DESCRIPTION = Description(
    name="Five animals",
    description="Tells five animals apart.",
    version="2.7",
    author="A. Nonymous",
    licence="CC-BY-4.0",
)
OPTIONS = {
    "int8": ConversionOptions("int8", description=DESCRIPTION),
    "uint8": ConversionOptions("int8", "per_tensor", "uint8", description=DESCRIPTION),
    "float32": ConversionOptions("none", description=DESCRIPTION),
}


@pytest.fixture(scope="module")
def netron_python():
    path = os.environ.get("SQZKIT_NETRON_PYTHON")
    if not path or not shutil.which("chromedriver"):
        pytest.skip("needs Chromium's driver and an environment: set SQZKIT_NETRON_PYTHON")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("kind", OPTIONS)
def test_netron_shows_every_field(
    small_network, record, noise_images, netron_python, tmp_path, kind
):
    labels = ("ant", "bee", "cat", "dog", "eel")
    model = tmp_path / "m.tflite"
    model.write_bytes(convert_model(small_network, record, labels, OPTIONS[kind], noise_images))
    pictures = Path(os.environ.get("SQZKIT_NETRON_PICTURES", tmp_path))
    call = [netron_python, str(CLIENT), str(model), str(pictures / f"netron_{kind}.png")]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        call, capture_output=True, text=True, env=environment, check=False, timeout=300
    )
    assert result.returncode == 0, result.stderr[-2000:]
    page = json.loads(result.stdout.splitlines()[-1])
    assert {"Conv2D", "MaxPool2D", "Concatenation", "Softmax"} <= set(page["nodes"])
    for value in (*vars(DESCRIPTION).values(), "TensorFlow Lite v3"):
        assert value in page["model"], value
    image, probability = page["graph"].split("OUTPUTS")
    for value in (f"{kind}[1,32,32,3]", "Image(RGB)", "Photograph, upright, RGB, raw values"):
        assert value in image, value
    for value in (f"{kind}[1,5]", "Feature", "Probability of each class."):
        assert value in probability, value
