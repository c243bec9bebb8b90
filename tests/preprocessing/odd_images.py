"""Images of unusual kinds, each with the pixels that a viewer shows on a white page.

`IMAGES` maps a name to (file content, what it shows, tolerance). What it shows is uint8
[H, W, 3], or the words with which it is refused. The pixels are those that the file was made
from, not those that a decoder returned.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms

from tests.preprocessing import profiles

PNG = b"\x89PNG\r\n\x1a\n"
EXACT, LOSSY = 0, 20


def _scene(width=28, height=20):
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([40 + 6 * x, 30 + 9 * y, 200 - 4 * x - 2 * y], -1).astype(np.uint8)
    image[: height // 2, : width // 2, 0] //= 2
    return image


SCENE = _scene()
GRAY = SCENE[..., 1]
ALPHA = np.linspace(0, 255, GRAY.size).reshape(GRAY.shape).round().astype(np.uint8)
INDICES = (np.arange(GRAY.size).reshape(GRAY.shape) // 7 % 200).astype(np.uint8)
PALETTE = np.stack([np.arange(256), 255 - np.arange(256), np.arange(256) * 3 % 256], -1)
PALETTE = PALETTE.astype(np.uint8)


def on_white(color, alpha):
    color, alpha = color.astype(int), alpha.astype(int)[..., None]
    return ((color * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def gray3(values):
    return np.repeat(values[..., None], 3, -1).astype(np.uint8)


def wide(values):
    """16 bits whose high byte is `values`."""
    return (values.astype(np.uint16) << 8) + 77


def with_hole(image, where):
    shown = image.copy()
    shown[where] = 255
    return shown


def turned(image, orientation):
    """The scene as stored, so that it is upright after EXIF's `orientation`."""
    columns = image.transpose(1, 0, 2)
    stored = {
        1: image, 2: image[:, ::-1], 3: image[::-1, ::-1], 4: image[::-1], 5: columns,
        6: np.rot90(image), 7: columns[::-1, ::-1], 8: np.rot90(image, -1),
    }  # fmt: skip
    return np.ascontiguousarray(stored[orientation])


def exif(orientation, order=">"):
    mark = b"MM\0*" if order == ">" else b"II*\0"
    return mark + struct.pack(f"{order}IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)


def chunk(kind, content, damage=0):
    checksum = zlib.crc32(kind + content) ^ damage
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def _packed(samples, depth):
    """Rows of a PNG, filter 0: samples [H, W, C] of `depth` bits."""
    rows = samples.reshape(len(samples), -1)
    if depth == 16:
        packed = rows.astype(">u2").view(np.uint8)
    elif depth == 8:
        packed = rows.astype(np.uint8)
    else:
        bits = np.unpackbits(rows.astype(np.uint8)[..., None], axis=-1)[..., 8 - depth :]
        packed = np.packbits(bits.reshape(len(rows), -1), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in packed)


def png(samples, depth, color, before=(), after=(), interlaced=False, tail=b""):
    """A PNG file of samples [H, W] or [H, W, C]."""
    samples = samples if samples.ndim == 3 else samples[..., None]
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2),
                  (0, 1, 2, 2), (1, 0, 2, 1)]  # fmt: skip
    pixels = b"".join(_packed(samples[y::dy, x::dx], depth) for y, x, dy, dx in passes)
    data = zlib.compress(pixels)
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    parts = [PNG, chunk(b"IHDR", header), *before, chunk(b"IDAT", data[:50]), chunk(b"IDAT", b"")]
    return b"".join([*parts, chunk(b"IDAT", data[50:]), *after, chunk(b"IEND", b""), tail])


def _pngs():
    plte = chunk(b"PLTE", PALETTE.tobytes())
    for depth in (1, 2, 4, 8, 16):
        raw = GRAY >> (8 - min(depth, 8))
        shown = gray3(raw.astype(int) * 255 // (2 ** min(depth, 8) - 1))
        samples = wide(GRAY) if depth == 16 else raw
        yield f"png_gray{depth}", png(samples, depth, 0), shown
        for name, hole in (("dark", samples[3, 4]), ("bright", samples[17, 20])):
            trns = chunk(b"tRNS", struct.pack(">H", hole))
            seen = with_hole(shown, samples == hole)
            yield f"png_gray{depth}_{name}_transparent", png(samples, depth, 0, [trns]), seen
        if depth <= 8:
            few = INDICES & (2**depth - 1)
            small = chunk(b"PLTE", PALETTE[: 2**depth].tobytes())
            yield f"png_palette{depth}", png(few, depth, 3, [small]), PALETTE[few]
    trns = chunk(b"tRNS", struct.pack(">HHH", *SCENE[2, 3]))
    hole = (SCENE == SCENE[2, 3]).all(-1)
    yield "png_rgb_transparent", png(SCENE, 8, 2, [trns]), with_hole(SCENE, hole)
    yield "png_rgb16", png(wide(SCENE), 16, 2), SCENE
    trns = chunk(b"tRNS", struct.pack(">HHH", *wide(SCENE)[2, 3]))
    yield "png_rgb16_transparent", png(wide(SCENE), 16, 2, [trns]), "a transparent color of 16 bits"
    alphas = np.arange(256, dtype=np.uint8)
    seen = on_white(PALETTE[INDICES], alphas[INDICES])
    translucent = [plte, chunk(b"tRNS", alphas.tobytes())]
    yield "png_palette_transparent", png(INDICES, 8, 3, translucent), seen
    both = np.stack([GRAY, ALPHA], -1)
    yield "png_gray_alpha", png(both, 8, 4), on_white(gray3(GRAY), ALPHA)
    yield "png_gray16_alpha", png(wide(both), 16, 4), on_white(gray3(GRAY), ALPHA)
    rgba = np.dstack([SCENE, ALPHA])
    yield "png_rgba", png(rgba, 8, 6), on_white(SCENE, ALPHA)
    yield "png_rgba16", png(wide(rgba), 16, 6), on_white(SCENE, ALPHA)
    nothing = np.dstack([SCENE, 0 * ALPHA])
    yield "png_invisible", png(nothing, 8, 6), np.full_like(SCENE, 255)
    yield "png_interlaced", png(SCENE, 8, 2, interlaced=True), SCENE
    yield "png_interlaced_gray1", png(GRAY >> 7, 1, 0, interlaced=True), gray3((GRAY >> 7) * 255)
    interlaced = png(wide(rgba), 16, 6, interlaced=True)
    yield "png_interlaced_rgba16", interlaced, on_white(SCENE, ALPHA)


def _png_chunks():
    long = zlib.compress(bytes(6 << 20))
    noise = np.random.default_rng(0).bytes(2 << 20)
    before = {
        "large_text": [chunk(b"tEXt", b"Comment\0" + b"x" * (2 << 20))],
        "expanding_text": [chunk(b"zTXt", b"Comment\0\0" + long)],
        "international_text": [chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + long)],
        "large_profile": [chunk(b"iCCP", b"p\0\0" + zlib.compress(noise))],
        "profile_of_garbage": [chunk(b"iCCP", b"p\0\0garbage")],
        "text_checksum": [chunk(b"tEXt", b"Title\0x", 1)],
        "time_checksum": [chunk(b"tIME", bytes(7), 1)],
        "private": [chunk(b"prVt", b"anything")],
        "suggested_palette": [chunk(b"PLTE", PALETTE.tobytes())],
        "background": [chunk(b"bKGD", bytes(6)), chunk(b"sBIT", b"\x08\x08\x08")],
        "short_text": [chunk(b"tEXt", b"")],
        "damaged_exif": [chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff")],
        "many_texts": [chunk(b"zTXt", b"C\0\0" + zlib.compress(bytes(900_000)))] * 90,
    }
    for name, chunks in before.items():
        yield f"png_{name}", png(SCENE, 8, 2, chunks), SCENE
    yield "png_text_after", png(SCENE, 8, 2, after=[chunk(b"tEXt", b"a\0b", 7)]), SCENE
    yield "png_trailing", png(SCENE, 8, 2, tail=b"garbage" * 99), SCENE
    for place in ("before", "after"):
        for orientation in (3, 6):
            stored = turned(SCENE, orientation)
            blocks = {place: [chunk(b"eXIf", exif(orientation))]}
            yield f"png_exif{orientation}_{place}", png(stored, 8, 2, **blocks), SCENE
    frame = struct.pack(">IIIIIHHBB", 0, 28, 20, 0, 0, 1, 10, 0, 0)
    animation = [chunk(b"acTL", struct.pack(">II", 1, 0)), chunk(b"fcTL", frame)]
    yield "png_animated", png(SCENE, 8, 2, animation), SCENE
    whole = png(SCENE, 8, 2)
    yield "png_cut", whole[: len(whole) // 2], "damaged or truncated"
    yield "png_without_end", whole[:-12], SCENE
    at = whole.index(b"IDAT") + 20
    yield "png_damaged", whole[:at] + b"\xaa\x55" + whole[at + 2 :], "damaged or truncated"


def bmp(pixels, bits, palette=b"", compression=0, masks=b"", header=40, down=False):
    """A BMP file: `pixels` are rows of bytes, top row first."""
    height, width = len(pixels), SCENE.shape[1]
    rows = pixels if down else pixels[::-1]
    data = b"".join(row if compression == 1 else row + bytes(-len(row) % 4) for row in rows)
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        size = -height if down else height
        fields = (header, width, size, 1, bits, compression, len(data), 2835, 2835, 0, 0)
        info = struct.pack("<IiiHHIIiiII", *fields) + masks
        info += bytes(max(0, header - len(info)))
    offset = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + info + palette + data


def _bmps():
    bgr = [row[:, ::-1].tobytes() for row in SCENE]
    quads = np.pad(PALETTE[:, ::-1], ((0, 0), (0, 1))).tobytes()
    yield "bmp24", bmp(bgr, 24), SCENE
    yield "bmp24_top_down", bmp(bgr, 24, down=True), SCENE
    yield "bmp24_os2", bmp(bgr, 24, header=12), SCENE
    for bits in (1, 4, 8):
        few = INDICES & (2**bits - 1)
        rows = [_packed(row[None, :, None], bits)[1:] for row in few]
        table = quads[: 4 * 2**bits]
        yield f"bmp{bits}", bmp(rows, bits, table), PALETTE[few]
    unpacked = np.dstack([SCENE[..., ::-1], 0 * ALPHA])
    yield "bmp32", bmp([row.tobytes() for row in unpacked], 32), SCENE
    for name, alpha in (("zero", 0 * ALPHA), ("real", ALPHA), ("full", 0 * ALPHA + 255)):
        masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
        rows = [row.tobytes() for row in np.dstack([SCENE[..., ::-1], alpha])]
        for header in (108, 124):
            shown = on_white(SCENE, alpha) if name == "real" else SCENE
            content = bmp(rows, 32, compression=3, masks=masks, header=header)
            yield f"bmp32_v{header}_{name}_alpha", content, shown
    short = (SCENE >> 3).astype(np.uint16)
    rows = [(r[:, 0] << 10 | r[:, 1] << 5 | r[:, 2]).astype("<u2").tobytes() for r in short]
    yield "bmp16", bmp(rows, 16), np.round(short * (255 / 31)).astype(np.uint8)
    green = (SCENE[..., 1] >> 2).astype(np.uint16)
    rows = [
        (r[:, 0] << 11 | g << 5 | r[:, 2]).astype("<u2").tobytes()
        for r, g in zip(short, green, strict=True)
    ]
    shown = np.dstack([short[..., 0] * (255 / 31), green * (255 / 63), short[..., 2] * (255 / 31)])
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    yield "bmp565", bmp(rows, 16, compression=3, masks=masks), np.round(shown).astype(np.uint8)
    runs = [b"".join(bytes([1, i]) for i in row) + b"\0\0" for row in INDICES]
    runs[0] += b"\0\1"
    yield "bmp_rle8", bmp(runs, 8, quads, compression=1), PALETTE[INDICES]


def saved(image, kind, **options):
    stream = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(stream, kind, **options)
    return stream.getvalue()


def _jpegs():
    best = {"quality": 97, "subsampling": 0}
    plain = saved(SCENE, "JPEG", **best)
    yield "jpeg", plain, SCENE
    yield "jpeg_gray", saved(GRAY, "JPEG", quality=97), gray3(GRAY)
    yield "jpeg_420", saved(SCENE, "JPEG", quality=97, subsampling=2), SCENE
    yield "jpeg_422", saved(SCENE, "JPEG", quality=97, subsampling=1), SCENE
    yield "jpeg_progressive", saved(SCENE, "JPEG", progressive=True, **best), SCENE
    yield "jpeg_restarts", saved(SCENE, "JPEG", restart_marker_blocks=1, **best), SCENE
    yield "jpeg_rgb", saved(SCENE, "JPEG", keep_rgb=True, **best), SCENE
    cmyk = Image.fromarray(SCENE).convert("CMYK")
    yield "jpeg_cmyk", saved(cmyk, "JPEG", **best), SCENE
    for orientation, order in enumerate("><><><><", 1):
        block = b"Exif\0\0" + exif(orientation, order)
        stored = turned(SCENE, orientation)
        yield f"jpeg_exif{orientation}", saved(stored, "JPEG", exif=block, **best), SCENE
    other = Image.fromarray(255 - SCENE)
    yield "jpeg_mpo", saved(SCENE, "MPO", save_all=True, append_images=[other], **best), SCENE
    yield "jpeg_comment", saved(SCENE, "JPEG", comment=b"x" * 60_000, **best), SCENE
    yield "jpeg_profile", saved(SCENE, "JPEG", icc_profile=bytes(300_000), **best), SCENE
    yield "jpeg_trailing", plain + b"garbage" * 50, SCENE
    app = b"\xff\xe1" + struct.pack(">H", 9) + b"Exif\0\0x"
    yield "jpeg_damaged_exif", plain[:2] + app + plain[2:], SCENE
    yield "jpeg_without_end", plain[:-2], "damaged or truncated"
    yield "jpeg_cut", plain[: len(plain) * 2 // 3], "damaged or truncated"


def _others():
    for name, options in (("gif", {}), ("gif_interlaced", {"interlace": 1})):
        image = Image.fromarray(INDICES)
        image.putpalette(PALETTE.tobytes())
        yield name, saved(image, "GIF", **options), PALETTE[INDICES], EXACT
    yield "gif_without_end", saved(image, "GIF")[:-1], PALETTE[INDICES], EXACT
    hole = int(INDICES[5, 5])
    shown = with_hole(PALETTE[INDICES], hole == INDICES)
    yield "gif_transparent", saved(image, "GIF", transparency=hole), shown, EXACT
    second = Image.fromarray(255 - INDICES)
    second.putpalette(PALETTE.tobytes())
    moving = saved(image, "GIF", save_all=True, append_images=[second], duration=50)
    yield "gif_animated", moving, PALETTE[INDICES], EXACT
    yield "gif_small_frame", _larger_screen(saved(image, "GIF")), _framed(), EXACT
    rgba = np.dstack([SCENE, ALPHA])
    flat = np.dstack([SCENE, np.where(ALPHA < 128, 0, 255).astype(np.uint8)])
    yield "webp_lossless", saved(SCENE, "WEBP", lossless=True), SCENE, EXACT
    yield "webp_lossy", saved(SCENE, "WEBP", quality=100), SCENE, LOSSY
    shown = on_white(SCENE, ALPHA)
    yield "webp_alpha", saved(rgba, "WEBP", lossless=True, exact=True), shown, EXACT
    for orientation in (2, 5, 6, 7):
        stored = turned(SCENE, orientation)
        content = saved(stored, "WEBP", lossless=True, exif=exif(orientation))
        yield f"webp_exif{orientation}", content, SCENE, EXACT
    moving = saved(
        SCENE, "WEBP", lossless=True, save_all=True, append_images=[Image.fromarray(255 - SCENE)]
    )
    yield "webp_animated", moving, SCENE, EXACT
    yield "avif", saved(SCENE, "AVIF", quality=100, subsampling="4:4:4"), SCENE, LOSSY
    content = saved(flat, "AVIF", quality=100, subsampling="4:4:4")
    yield "avif_alpha", content, on_white(SCENE, flat[..., 3]), LOSSY
    stored = turned(SCENE, 6)
    content = saved(stored, "AVIF", quality=100, subsampling="4:4:4", exif=exif(6))
    yield "avif_turned", content, SCENE, LOSSY


def _larger_screen(gif):
    content = bytearray(gif)
    struct.pack_into("<HH", content, 6, 34, 26)
    at = content.index(b"\x2c" + struct.pack("<HHHH", 0, 0, 28, 20))
    struct.pack_into("<HH", content, at + 1, 4, 3)
    return bytes(content)


def _framed():
    framed = np.full((26, 34, 3), 255, np.uint8)
    framed[3:23, 4:32] = PALETTE[INDICES]
    return framed


def _tiffs():
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        content = saved(SCENE, "TIFF", compression=compression)
        yield f"tiff_{compression}", content, SCENE, EXACT
    yield "tiff_jpeg", saved(SCENE, "TIFF", compression="jpeg", quality=97), SCENE, LOSSY
    yield "tiff_gray", saved(GRAY, "TIFF"), gray3(GRAY), EXACT
    yield "tiff_gray16", saved(wide(GRAY), "TIFF"), gray3(GRAY), EXACT
    yield "tiff_bits", saved(Image.fromarray(GRAY > 99), "TIFF"), gray3((GRAY > 99) * 255), EXACT
    rgba = np.dstack([SCENE, ALPHA])
    yield "tiff_alpha", saved(rgba, "TIFF"), on_white(SCENE, ALPHA), EXACT
    yield "tiff_cmyk", saved(Image.fromarray(SCENE).convert("CMYK"), "TIFF"), SCENE, EXACT
    pages = saved(SCENE, "TIFF", save_all=True, append_images=[Image.fromarray(255 - SCENE)])
    yield "tiff_pages", pages, SCENE, EXACT
    for orientation in (2, 4, 5, 6, 7, 8):
        turned_by_tag = saved(turned(SCENE, orientation), "TIFF", tiffinfo={274: orientation})
        yield f"tiff_turned{orientation}", turned_by_tag, SCENE, EXACT
    yield "tiff_negative", saved(GRAY, "TIFF", tiffinfo={262: 0}), gray3(GRAY), EXACT
    content = saved(wide(255 - GRAY), "TIFF", tiffinfo={262: 0})
    yield "tiff_gray16_negative", content, gray3(GRAY), EXACT
    twelve = saved(wide(GRAY), "TIFF")
    at = twelve.index(struct.pack("<HHIH", 258, 3, 1, 16)) + 8
    twelve = twelve[:at] + b"\x0c" + twelve[at + 1 :]
    yield "tiff_gray12", twelve, "12 bits a channel", EXACT
    big_endian = Image.frombytes("I;16B", GRAY.shape[::-1], wide(GRAY).astype(">u2").tobytes())
    yield "tiff_gray16_big_endian", saved(big_endian, "TIFF"), gray3(GRAY), EXACT
    palette = Image.fromarray(INDICES)
    palette.putpalette(PALETTE.tobytes())
    yield "tiff_palette", saved(palette, "TIFF"), PALETTE[INDICES], EXACT
    scene = Image.fromarray(SCENE)
    yield "tiff_ycbcr", saved(scene.convert("YCbCr"), "TIFF"), SCENE, LOSSY
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    coded = ImageCms.profileToProfile(scene, srgb, lab, outputMode="LAB")
    yield "tiff_lab", saved(coded, "TIFF"), SCENE, LOSSY
    thumbnail = Image.fromarray(255 - SCENE[::4, ::4])
    yield "tiff_thumbnail", saved(scene, "TIFF", save_all=True, append_images=[thumbnail]), SCENE, 0
    yield "tiff_float", saved(GRAY / np.float32(255), "TIFF"), "32-bit pixels", EXACT
    yield "tiff_integers", saved(GRAY.astype(np.int32), "TIFF"), "32-bit pixels", EXACT


P3, ADOBE = profiles.rgb(profiles.DISPLAY_P3, 2.2), profiles.rgb(profiles.ADOBE_RGB, 2.2)
IN_P3 = profiles.in_srgb(SCENE, profiles.DISPLAY_P3, 2.2)
IN_ADOBE = profiles.in_srgb(SCENE, profiles.ADOBE_RGB, 2.2)


def _profiled_pngs():
    def png_in(profile, samples, depth, color, *others, damage=0):
        block = chunk(b"iCCP", b"p\0\0" + zlib.compress(profile), damage)
        return png(samples, depth, color, [block, *others])

    gray, seen_gray = profiles.gray(1.8), profiles.gray_in_srgb(GRAY, 1.8)
    wide_gamut = profiles.rgb(profiles.PROPHOTO, 1.8)
    yield "p3", png_in(P3, SCENE, 8, 2), IN_P3
    yield "adobe", png_in(ADOBE, SCENE, 8, 2), IN_ADOBE
    seen = profiles.in_srgb(SCENE, profiles.PROPHOTO, 1.8)
    yield "prophoto", png_in(wide_gamut, SCENE, 8, 2), seen
    yield "p3_16", png_in(P3, wide(SCENE), 16, 2), IN_P3
    yield "p3_alpha", png_in(P3, np.dstack([SCENE, ALPHA]), 8, 6), on_white(IN_P3, ALPHA)
    plte = chunk(b"PLTE", PALETTE.tobytes())
    seen_palette = profiles.in_srgb(PALETTE, profiles.DISPLAY_P3, 2.2)[INDICES]
    yield "p3_palette", png_in(P3, INDICES, 8, 3, plte), seen_palette
    yield "gray", png_in(gray, GRAY, 8, 0), seen_gray
    yield "gray_alpha", png_in(gray, np.stack([GRAY, ALPHA], -1), 8, 4), on_white(seen_gray, ALPHA)
    yield "gray16", png_in(gray, wide(GRAY), 16, 0), seen_gray
    yield "of_gray_for_color", png_in(gray, SCENE, 8, 2), SCENE
    yield "of_inks_for_color", png_in(profiles.cmyk(), SCENE, 8, 2), SCENE
    yield "cut", png_in(P3[:200], SCENE, 8, 2), SCENE
    yield "checksum", png_in(P3, SCENE, 8, 2, damage=1), SCENE
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    yield "srgb", png_in(srgb, SCENE, 8, 2), SCENE


def _stated_colors():
    """PNGs whose chunks state a color space without a profile."""

    def gamma(value):
        return chunk(b"gAMA", struct.pack(">I", round(1e5 * value)))

    def primaries(space):
        red, green, blue, white = space
        points = (*white, *red, *green, *blue)
        return chunk(b"cHRM", struct.pack(">8I", *(round(1e5 * value) for value in points)))

    linear = profiles.in_srgb(SCENE, profiles.SRGB, 1.0)
    p3 = primaries(profiles.DISPLAY_P3)
    yield "gamma1", [gamma(1)], linear
    yield "gamma_usual", [gamma(1 / 2.2)], SCENE
    yield "gamma_primaries", [gamma(1 / 2.2), p3], IN_P3
    yield "primaries_alone", [p3], SCENE
    yield "gamma_of_srgb", [gamma(1 / 2.2), primaries(profiles.SRGB)], profiles.in_srgb(
        SCENE, profiles.SRGB, 2.2)  # fmt: skip
    yield "srgb_first", [gamma(1), chunk(b"sRGB", b"\0"), p3], SCENE
    profile = chunk(b"iCCP", b"p\0\0" + zlib.compress(P3))
    yield "iccp_first", [gamma(1), profile], IN_P3
    yield "cicp_p3", [chunk(b"cICP", b"\x0c\x0d\0\1"), gamma(1)], profiles.in_srgb(
        SCENE, profiles.DISPLAY_P3, None)  # fmt: skip
    yield "cicp_srgb", [chunk(b"cICP", b"\1\x0d\0\1"), profile], SCENE
    yield "cicp_bt709", [chunk(b"cICP", b"\1\1\0\1")], profiles.in_srgb(
        SCENE, profiles.SRGB, 2.4)  # fmt: skip
    yield "cicp_bt2020", [chunk(b"cICP", b"\x09\x0e\0\1"), gamma(1)], profiles.in_srgb(
        SCENE, profiles.BT2020, 2.4)  # fmt: skip
    yield "cicp_gamma", [chunk(b"cICP", b"\1\5\0\1")], profiles.in_srgb(SCENE, profiles.SRGB, 2.8)
    for name, code in (("unspecified", b"\2\2\0\1"), ("limited", b"\1\1\0\0"), ("cut", b"\1\1\0")):
        yield f"cicp_{name}", [chunk(b"cICP", code), gamma(1)], linear
    yield "cicp_hdr", [chunk(b"cICP", b"\x09\x10\0\1")], "color space .cICP 09100001."
    yield "cicp_of_film", [chunk(b"cICP", b"\x0b\1\0\1")], "color space .cICP 0b010001."
    yield "cicp_matrix", [chunk(b"cICP", b"\1\x0d\1\1")], "color space .cICP 010d0101."
    yield "no_gamma", [gamma(0), p3], SCENE
    yield "flat_primaries", [gamma(1), chunk(b"cHRM", bytes(32))], SCENE
    yield "equal_primaries", [gamma(1), chunk(b"cHRM", struct.pack(">8I", *[30_000] * 8))], SCENE


def _damaged():
    """Files whose pixels are not those they were made from, but the same in every viewer."""
    for name, options in (("", {}), ("_progressive", {"progressive": True})):
        plain = saved(SCENE, "JPEG", quality=97, **options)
        middle = len(plain) - 200
        damaged = plain[:middle] + b"\x12\x34" + plain[middle + 2 :]
        yield f"jpeg_damaged_inside{name}", damaged, SCENE, 255


def _profiled():
    for name, content, shown in _profiled_pngs():
        yield f"png_profile_{name}", content, shown, 1
    best = {"quality": 97, "subsampling": 0}
    content = saved(SCENE, "JPEG", icc_profile=P3, **best)
    yield "jpeg_profile_p3", content, IN_P3, 25
    block = b"Exif\0\0" + exif(6)
    content = saved(turned(SCENE, 6), "JPEG", icc_profile=ADOBE, exif=block, **best)
    yield "jpeg_profile_adobe_turned", content, IN_ADOBE, 25
    gray, linear = profiles.gray(1.8), profiles.rgb(profiles.ADOBE_RGB, 1.8)
    seen = profiles.gray_in_srgb(GRAY, 1.8)
    yield "jpeg_profile_gray", saved(GRAY, "JPEG", icc_profile=gray, **best), seen, 6
    yield "jpeg_profile_rgb_for_gray", saved(GRAY, "JPEG", icc_profile=linear, **best), seen, 6
    inks = np.stack([SCENE[..., 0] // 2, GRAY // 3, SCENE[..., 2] // 3, GRAY // 4], -1)
    image = Image.fromarray(inks, "CMYK")
    seen = profiles.inks_in_srgb(inks)
    yield "jpeg_profile_inks", saved(image, "JPEG", icc_profile=profiles.cmyk(), **best), seen, 6
    options = {"lossless": True, "icc_profile": P3}
    yield "webp_profile_p3", saved(SCENE, "WEBP", **options), IN_P3, 1
    options = {"quality": 100, "subsampling": "4:4:4", "icc_profile": ADOBE}
    yield "avif_profile_adobe", saved(SCENE, "AVIF", **options), IN_ADOBE, LOSSY
    yield "tiff_profile_p3", saved(SCENE, "TIFF", icc_profile=P3), IN_P3, 1


IMAGES = {
    **{name: (content, shown, EXACT) for name, content, shown in _pngs()},
    **{name: (content, shown, EXACT) for name, content, shown in _png_chunks()},
    **{name: (content, shown, 1) for name, content, shown in _bmps()},
    **{name: (content, shown, LOSSY) for name, content, shown in _jpegs()},
    **{name: (content, shown, tolerance) for name, content, shown, tolerance in _others()},
    **{name: (content, shown, tolerance) for name, content, shown, tolerance in _tiffs()},
    **{name: (content, shown, tolerance) for name, content, shown, tolerance in _profiled()},
    **{name: (content, shown, tolerance) for name, content, shown, tolerance in _damaged()},
    **{
        f"png_color_{name}": (png(SCENE, 8, 2, chunks), shown, 1)
        for name, chunks, shown in _stated_colors()
    },
}
