import base64
import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image, ImageOps

from sqzkit.base.errors import RunError
from sqzkit.preprocessing import decoding
from tests.preprocessing.odd_images import IMAGES, IN_P3, P3, SCENE, exif, on_white, saved

VIEWER = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
# Where Chromium differs from other viewers, and why the others are followed.
OTHERWISE = {
    "bmp32_v108_zero_alpha": "Chromium shows nothing; OpenCV and Windows show the colors",
    "bmp32_v124_zero_alpha": "the same",
    "jpeg_profile_inks": "Chromium is some 5 beside the colors that the profile's table states",
    "png_exif3_after": "Chromium reads no EXIF behind the pixels; Pillow and OpenCV do",
    "png_exif6_after": "the same",
    **dict.fromkeys(
        ("webp_exif2", "webp_exif5", "webp_exif6", "webp_exif7"),
        "Chromium does not turn WebP; Pillow, OpenCV and Android do",
    ),
}
# Profiles that change what is seen: Chromium converts, these two do not.
_PROFILES = {
    name: "shows the numbers in the file as if they were sRGB"
    for name in IMAGES
    if ("_profile_" in name and name.split("_profile_")[1] not in (
        "of_garbage", "of_gray_for_color", "of_inks_for_color", "cut", "checksum", "srgb"))
    or (name.startswith("png_color_") and name.split("_color_")[1] in (
        "gamma1", "gamma_primaries", "gamma_of_srgb", "iccp_first", "cicp_p3", "cicp_bt709",
        "cicp_bt2020", "cicp_gamma", "cicp_unspecified", "cicp_limited", "cicp_cut"))
}  # fmt: skip
_NO_HOLE = "takes no notice of a transparent gray; Chromium does"
OPENCV_OTHERWISE = {
    **_PROFILES,
    **{f"png_gray{depth}_{hole}_transparent": _NO_HOLE for depth in (2, 4, 8, 16)
       for hole in ("dark", "bright")},
    "png_gray1_dark_transparent": _NO_HOLE,
    "bmp16": "takes the highest of 5 bits for 248; Pillow and Chromium for 255",
    "bmp565": "the same",
    "gif_small_frame": "shows the screen around the frame black",
    "gif_without_end": "refuses a file without its last mark; Chromium and Pillow show it",
    "png_without_end": "the same",
    "avif_turned": "does not turn AVIF",
    "tiff_alpha": "multiplies the colors by alpha",
    "tiff_lab": "takes another white for Lab",
    "bmp32_v108_zero_alpha": "gives alpha 0 with the colors, which Windows shows",
    "bmp32_v124_zero_alpha": "the same",
}  # fmt: skip
PILLOW_OTHERWISE = {
    **_PROFILES,
    "bmp32_v108_zero_alpha": "shows nothing; OpenCV and Windows show the colors",
    "bmp32_v124_zero_alpha": "the same",
    **{name: "cuts 16 bits at 255; OpenCV and Chromium take the high byte" for name in IMAGES
       if name.startswith(("png_gray16", "tiff_gray16")) and "alpha" not in name},
    **{f"png_gray{kind}_transparent": "compares a transparent gray of 2 or 4 bits with 8 bits"
       for kind in ("2_bright", "4_bright", "4_dark")},
    **{f"png_{name}": "refuses chunks that viewers do not read" for name in (
        "expanding_text", "international_text", "large_profile", "many_texts",
        "profile_checksum", "text_checksum", "time_checksum")},
    "gif_small_frame": "shows the screen around the frame black",
}  # fmt: skip
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
    assert ".heic" in decoding.suffixes()
    content = saved(SCENE, "HEIF", quality=-1, chroma=444)
    assert difference(content, SCENE).max() <= 6
    turned = saved(np.rot90(SCENE), "HEIF", quality=-1, chroma=444, exif=exif(6))
    assert difference(turned, SCENE).max() <= 6
    profiled = saved(SCENE, "HEIF", quality=-1, chroma=444, icc_profile=P3)
    assert difference(profiled, IN_P3).max() <= 12


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


def as_opencv_shows(content):
    cv2 = pytest.importorskip("cv2")
    encoded = np.frombuffer(content, np.uint8)
    pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape[2:] != (4,):
        pixels = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        return None if pixels is None else pixels[..., ::-1]
    pixels = (pixels >> 8 if pixels.dtype == np.uint16 else pixels).astype(np.uint8)
    return on_white(pixels[..., 2::-1], pixels[..., 3])


def as_pillow_shows(content):
    try:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    except (OSError, SyntaxError, ValueError):
        return None
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("viewer", "otherwise"),
    [(as_opencv_shows, OPENCV_OTHERWISE), (as_pillow_shows, PILLOW_OTHERWISE)],
)
def test_other_libraries_show_the_same_pixels(viewer, otherwise):
    read = {name for name, (_, shown, _) in IMAGES.items() if not isinstance(shown, str)}
    seen = {name: viewer(IMAGES[name][0]) for name in sorted(read)}
    differ = {
        name
        for name, pixels in seen.items()
        if pixels is None or difference(IMAGES[name][0], pixels).max() > 2
    }
    assert sorted(differ) == sorted(otherwise)
    assert len(read - differ) >= 100
