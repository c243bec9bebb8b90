"""The sections of RESULTS.md as lines of Markdown."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.interleave import Spread, spread, spreads

Tasks = Mapping[str, Mapping[str, Any]]
OURS = "sqzkit"


def markdown(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table; the first column is text, all others are flush right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def refused(tasks: Tasks) -> list[str]:
    """Return a line for each contender that could not be measured."""
    found: dict[str, str] = {}
    for figures in tasks.values():
        found |= figures.get("refused", {})
    return [f"Left out: {who} ({reason})." for who, reason in found.items()]


def bold_best(cells: Mapping[str, Spread], highest: bool, digits: int) -> dict[str, str]:
    """Return the cells' text, the best median in bold."""
    best = (max if highest else min)(cells, key=lambda name: cells[name].median)
    return {
        name: f"**{cell.text(digits)}**" if name == best else cell.text(digits)
        for name, cell in cells.items()
    }


def training(tasks: Tasks) -> list[str]:
    """Return images a second by contender and number of threads, and who leads."""
    columns, verdicts = {}, []
    for figures in tasks.values():
        found = spreads(figures["answers"], "images_per_second")
        head = f"{_threads(figures['threads'])}, images/s"
        columns[head] = bold_best(found, highest=True, digits=0)
        verdicts.append(_training_verdict(found, figures["threads"]))
    batch = next(iter(tasks.values()))["batch"]
    return [
        f"SqueezeNet v1.1 with batch normalization, 64 px, batch {batch}, AdamW, float32; all "
        "start from the same weights (checked by their loss) and read the same pictures.\n",
        BY_ONE_THREAD,
        _joined(columns),
        *verdicts,
        *refused(tasks),
    ]


def _training_verdict(found: Mapping[str, Spread], threads: int) -> str:
    ours = next(cell for name, cell in found.items() if name.startswith(OURS))
    others = {name: cell for name, cell in found.items() if not name.startswith(OURS)}
    best = max(others, key=lambda name: others[name].median)
    torch = {name: cell for name, cell in others.items() if name.startswith("PyTorch")}
    share = ours.median / others[best].median
    text = f"- {_threads(threads)}: train.py reaches {share:.2f} times {best}"
    if torch and not best.startswith("PyTorch"):
        peer = max(torch, key=lambda name: torch[name].median)
        text += f", and {ours.median / torch[peer].median:.2f} times {peer}"
    return text + "."


def _joined(columns: Mapping[str, Mapping[str, str]]) -> str:
    names = list(dict.fromkeys(name for cells in columns.values() for name in cells))
    rows = [[name, *(cells.get(name, "-") for cells in columns.values())] for name in names]
    return markdown(("", *columns), rows)


def inference(tasks: Tasks) -> list[str]:
    """Return milliseconds by runtime, one table for each precision."""
    lines = [
        "Song Han's SqueezeNet v1.0 (ImageNet, 1,000 classes), one picture at a time, "
        "milliseconds. All runtimes have the same float weights; each has its own int8 weights.\n",
        BY_ONE_THREAD,
    ]
    for precision in ("float", "int8"):
        some = [figures for figures in tasks.values() if figures["precision"] == precision]
        if not some:
            continue
        columns: dict[str, Mapping[str, str]] = {}
        verdicts = []
        for figures in some:
            found = spreads(figures["answers"], "ms")
            head = f"{figures['side']} px, {_threads(figures['threads'])}"
            columns[head] = bold_best(found, highest=False, digits=1)
            verdicts.append(_inference_verdict(found, head))
        largest = max(some, key=lambda figures: figures["side"])
        columns[f"answers as float Keras, {largest['side']} px"] = {
            name: f"{ready['same_answers']} of {ready['pictures']}"
            for name, ready in largest["ready"].items()
        }
        lines += [f"### {precision}\n", _joined(columns), *verdicts, ""]
    return lines + refused(tasks)


def _inference_verdict(found: Mapping[str, Spread], head: str) -> str:
    ours = next(cell for name, cell in found.items() if name.startswith(OURS))
    best = min(found, key=lambda name: found[name].median)
    if best.startswith(OURS):
        return f"- {head}: sqzkit's file in LiteRT is the fastest."
    times = ours.median / found[best].median
    return f"- {head}: {best} is ahead; LiteRT takes {times:.2f} times as long."


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count > 1)}"


FORMS = {
    "tflite": "uncompressed",
    "gzip": "gzip -9",
    "zstd": "zstd -19",
    "zstd_22": "zstd -22",
    "brotli": "brotli -11",
    "xz": "xz -9e",
    "nncodec": "NNCodec",
    "sqz": "`.sqz`",
}


def sizes(tasks: Tasks) -> list[str]:
    """Return bytes by file and form; the smallest in bold."""
    (figures,) = tasks.values()
    rows = []
    for name, row in figures["files"].items():
        least = min(row["bytes"].values())
        cells = [row["bytes"].get(form) for form in FORMS]
        rows.append([name, *(_bytes(cell, least) for cell in cells)])
    lines = [
        "Bytes of Song Han's SqueezeNet at 227 px. NNCodec (DeepCABAC) codes the integer tensors "
        "without loss; all other bytes of the file are added as zstd -22 has them.\n",
        markdown(("file", *FORMS.values()), rows),
        *(_size_verdict(name, row) for name, row in figures["files"].items()),
    ]
    answers = figures["quantizer"].get("same_answers")
    if answers is not None:
        lines.append(
            f"- ai-edge-quantizer's file answers {answers} pictures as float Keras does (the "
            "others' counts are in the table of int8 inference)."
        )
    return lines + refused(tasks)


def _size_verdict(name: str, row: Mapping[str, Any]) -> str:
    sizes, seconds = row["bytes"], row["seconds"]
    text = f"- {name}: `.sqz` is {sizes['sqz'] / sizes['xz']:.3f} of xz -9e"
    if "nncodec" in sizes:
        text += f" and {sizes['sqz'] / sizes['nncodec']:.3f} of NNCodec"
    return f"{text}; packed in {seconds['pack']:.1f} s, unpacked in {seconds['unpack']:.1f} s."


def _bytes(value: int | None, least: int) -> str:
    if value is None:
        return "-"
    return f"**{value:,}**" if value == least else f"{value:,}"


def conversion(tasks: Tasks) -> list[str]:
    """Return seconds of both programs and their ratio."""
    rows, verdicts = [], []
    for figures in tasks.values():
        kind = "float32" if figures["quantization"] == "none" else figures["quantization"]
        for name, answers in figures["answers"].items():
            rows.append([f"{kind}, {name}", *_program(answers)])
        by_clock, by_processor = (_ratio(figures["answers"], f) for f in ("seconds", "cpu_seconds"))
        verdicts.append(
            f"- {kind}: {by_clock:.2f} times the bare converter by the clock, "
            f"{by_processor:.2f} by processor time (bar 1.2)."
        )
    head = ("whole program", "seconds", "processor seconds", "memory, MiB")
    return [
        "The same Keras file (SqueezeNet v1.0, 227 px), int8 calibrated on 32 photographs.\n",
        markdown(head, rows),
        *verdicts,
    ]


def _ratio(answers: Mapping[str, Sequence[Mapping[str, float]]], field: str) -> float:
    """Return the first program's median of a field by the second's."""
    ours, bare = (spread([one[field] for one in found]).median for found in answers.values())
    return ours / bare


def startup(tasks: Tasks) -> list[str]:
    """Return seconds until the programs answer."""
    rows = [
        [name, *_program(answers)]
        for figures in tasks.values()
        for name, answers in figures["answers"].items()
    ]
    return [
        markdown(("until the end, or the first step", "seconds", "processor seconds", "MiB"), rows)
    ]


def _program(answers: Sequence[Mapping[str, float]]) -> list[str]:
    fields = (("seconds", 2), ("cpu_seconds", 2), ("peak_mib", 0))
    return [spread([one[field] for one in answers]).text(digits) for field, digits in fields]


def growth(tasks: Tasks) -> list[str]:
    """Return what each step takes of time and memory when one thing grows tenfold."""
    some = next(iter(tasks.values()))
    steps = list(some["answers"]["base"][0]["steps"])
    base = growth_medians(some["answers"]["base"])
    head = ["step", "base: s", "base: MiB"]
    rows = [[step, f"{base[step][0]:.3f}", f"{base[step][1]:.0f}"] for step in steps]
    for figures in tasks.values():
        head.append(f"10x {figures['grown']}: time, memory")
        own = growth_medians(figures["answers"]["base"])
        grown = growth_medians(figures["answers"]["grown"])
        for row, step in zip(rows, steps, strict=True):
            times = grown[step][0] / own[step][0]
            row.append(f"{times:.1f}x, {grown[step][1] - own[step][1]:+.0f} MiB")
    scale = some["scales"]["base"]
    parameters = [some["answers"]["base"][0]["parameters"]]
    parameters += [
        figures["answers"]["grown"][0]["parameters"]
        for figures in tasks.values()
        if figures["grown"] == "parameters"
    ]
    return [
        f"Base: {scale['images']} photographs, {scale['side']} px, {scale['classes']} classes, "
        f"{parameters[0]:,} parameters. Memory is the process's peak during the step (TensorFlow "
        "itself included), and how much more that is at ten times.\n",
        markdown(head, rows),
        *(f"Ten times the parameters: {count:,}." for count in parameters[1:]),
    ]


def growth_medians(answers: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """Return median (seconds, peak MiB) by step."""
    return {
        step: (
            spread([one["steps"][step]["seconds"] for one in answers]).median,
            spread([one["steps"][step]["peak_mib"] for one in answers]).median,
        )
        for step in answers[0]["steps"]
    }


BY_ONE_THREAD = (
    "With one thread the processor time of the whole process is measured, with two the time on "
    "the wall.\n"
)

SECTIONS: Mapping[str, tuple[str, Callable[[Tasks], list[str]]]] = {
    "training": ("Training", training),
    "inference": ("Inference", inference),
    "sizes": ("Size", sizes),
    "conversion": ("Conversion", conversion),
    "startup": ("Start", startup),
    "growth": ("Growth", growth),
}
