"""convert.py without verification beside the bare TFLite converter, as whole programs."""

from pathlib import Path

from benchmarks import process
from benchmarks.settings import Result, Settings

CALIBRATION_STEPS = 32


def commands(settings: Settings, quantization: str, folder: Path) -> dict[str, process.Command]:
    """Return the two programs that make the same conversion of the same Keras file."""
    assets = settings.assets
    model, record = str(assets / "classifier.keras"), str(assets / "preprocessing.json")
    photographs = str(assets / "photographs")
    ours = [
        settings.python,
        "convert.py",
        f"--keras_model_file={model}",
        f"--preprocessing={record}",
        f"--labels_file={assets / 'labels.txt'}",
        f"--output_file={folder / 'ours.tflite'}",
        f"--quantization={quantization}",
        f"--representative_dataset_dir={photographs}",
        f"--calibration_steps={CALIBRATION_STEPS}",
        "--noverify",
        "--overwrite",
    ]
    count = str(CALIBRATION_STEPS if quantization == "int8" else 0)
    output = str(folder / "bare.tflite")
    module = "benchmarks.peers.convert_bare"
    bare = [settings.python, "-m", module, model, record, photographs, count, output]
    return {"convert.py --noverify": ours, "bare converter": bare}


def measure(settings: Settings, quantization: str) -> Result:
    """Return seconds, processor seconds and memory of both."""
    folder = settings.folder("conversion")
    chosen = commands(settings, quantization, folder)
    answers = process.take_turns(chosen, settings.rounds, settings.log)
    sizes = {name: (folder / f"{name}.tflite").stat().st_size for name in ("ours", "bare")}
    return {"quantization": quantization, "answers": answers, "bytes": sizes}


TASKS = {
    "conversion/float32": lambda settings: measure(settings, "none"),
    "conversion/int8": lambda settings: measure(settings, "int8"),
}
