import base64
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from sqzkit.base.errors import RunError
from sqzkit.preprocessing import decoding
from tests.preprocessing.odd_images import IMAGES, SCENE, exif, saved

VIEWER = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
# Where Chromium differs from other viewers, and why the others are followed.
OTHERWISE = {
    "bmp32_v108_zero_alpha": "Chromium shows nothing; OpenCV and Windows show the colors",
    "bmp32_v124_zero_alpha": "the same",
    "png_exif3_after": "Chromium reads no EXIF behind the pixels; Pillow and OpenCV do",
    "png_exif6_after": "the same",
    "webp_exif6": "Chromium does not turn WebP; Pillow, OpenCV and Android do",
}
# Draws each image on a white canvas and writes its pixels into the page.
PAGE = """<pre id=out></pre><script>
const files = %s, seen = {};
Promise.all(Object.entries(files).map(async ([name, data]) => {
  const image = new Image();
  image.src = 'data:image/' + data;
  try { await image.decode(); } catch { seen[name] = null; return; }
  const canvas = document.createElement('canvas'), context = canvas.getContext('2d');
  canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
  context.fillStyle = 'white'; context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  seen[name] = [pixels.height, pixels.width, Array.from(pixels.data)];
})).then(() => { document.getElementById('out').textContent = JSON.stringify(seen); });
</script>"""


def difference(content, shown):
    pixels = np.asarray(decoding.decode(content)).astype(int)
    if pixels.shape != shown.shape:
        return np.array(999)
    return np.abs(pixels - shown.astype(int))


def test_there_are_enough_kinds():
    assert len(IMAGES) >= 100


@pytest.mark.parametrize("name", IMAGES)
def test_an_odd_image_is_what_it_was_made_from_or_is_refused_by_name(name, tmp_path):
    content, shown, tolerance = IMAGES[name]
    path = tmp_path / name
    path.write_bytes(content)
    if isinstance(shown, str):
        with pytest.raises(RunError, match=f"{name}: .*{shown}"):
            decoding.decode(path)
    else:
        assert difference(path, shown).max() <= tolerance


def test_heif_is_read_where_its_library_is_installed():
    pytest.importorskip("pillow_heif")
    content = saved(SCENE, "HEIF", quality=-1, chroma=444)
    assert ".heic" in decoding.suffixes()
    assert difference(content, SCENE).max() <= 6
    turned = saved(np.rot90(SCENE), "HEIF", quality=-1, chroma=444, exif=exif(6))
    assert difference(turned, SCENE).max() <= 6


@pytest.mark.slow
@pytest.mark.skipif(VIEWER is None, reason="no Chromium to compare with")
def test_chromium_shows_the_same_pixels(tmp_path):
    kinds = {name: name.split("_")[0].rstrip("0123456789") for name in IMAGES}
    files = {
        name: f"{kinds[name]};base64,{base64.b64encode(content).decode()}"
        for name, (content, shown, _) in IMAGES.items()
        if kinds[name] != "tiff" and not isinstance(shown, str)
    }
    (tmp_path / "page.html").write_text(PAGE % json.dumps(files))
    command = [VIEWER, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=60000",
               "--force-color-profile=srgb", f"--user-data-dir={tmp_path / 'profile'}",
               "--dump-dom", (tmp_path / "page.html").as_uri()]  # fmt: skip
    page = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    seen = json.loads(re.search(r"<pre id=\"out\">(.*?)</pre>", page, re.S).group(1))
    assert sorted(seen) == sorted(files)
    worst = {}
    for name, found in seen.items():
        assert found is not None, f"{name}: not shown"
        pixels = np.array(found[2], np.uint8).reshape(found[0], found[1], 4)[..., :3]
        worst[name] = int(difference(IMAGES[name][0], pixels).max())
    assert {name for name, value in worst.items() if value > 2} == set(OTHERWISE)
