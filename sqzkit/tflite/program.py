"""What `convert.py` does, from the configuration to the files it leaves."""

import contextlib
import dataclasses
import hashlib
import os
from pathlib import Path
from typing import Any

import sqzkit
from sqzkit import files
from sqzkit.run_folder import RunFolder
from sqzkit.tflite import sources, verify
from sqzkit.tflite.config import ConversionConfig
from sqzkit.tflite.convert import convert_model
from sqzkit.tflite.flatbuffer import TFLiteFile
from sqzkit.tflite.options import LICENCE, ConversionOptions, Description
from sqzkit.tflite.sizes import sizes
from sqzkit.tflite.sources import Source


@dataclasses.dataclass(frozen=True)
class Result:
    """What was written.

    Attributes:
      path: of the `.tflite`.
      archive: of the `.sqz`, or None.
      record: the sidecar's content, `PATH.json`.
    """

    path: Path
    archive: Path | None
    record: dict[str, Any]


def convert(config: ConversionConfig) -> Result:
    """Convert, verify and write; nothing is written unless all of it went well.

    Raises:
      UsageError: the configuration does not fit what it names, or an output exists.
      RunError: the converted file loses too much accuracy, or cannot be written.
      InvariantError: the converted file is not what was asked for.
    """
    if config.output_file is not None:
        _refuse_outputs(Path(config.output_file), config)
    source = sources.open_source(config)
    options = _resolve(config, source)
    config = dataclasses.replace(config, options=options)
    path = _output_path(config)
    _refuse_outputs(path, config)
    print(f"converting {source.name} to {describe(options)}", flush=True)
    content = convert_model(
        source.model,
        source.preprocessing,
        source.labels,
        options,
        sources.representative_images(source, config),
    )
    _check_compression(source, content, config)
    verification = _verify(source, content, config)
    archive = _pack(content) if config.archive else None
    record = _record(source, config, content, archive, verification)
    _write(path, content, archive, record)
    return Result(path, archive_path(path) if archive else None, record)


def describe(options: ConversionOptions) -> str:
    """Return options in the words of the flags, such as "int8 per_channel, uint8 input"."""
    granularity = f" {options.granularity}" if has_granularity(options) else ""
    return f"{options.quantization}{granularity}, {options.inference_input_type} input"


def has_granularity(options: ConversionOptions) -> bool:
    """Tell whether the file has integer kernels at all."""
    return options.quantization in ("dynamic", "int8", "int16x8")


def default_name(options: ConversionOptions) -> str:
    """Return the name of the file in a run folder, such as "int8_per_channel.tflite"."""
    parts = ["float32" if options.quantization == "none" else options.quantization]
    if has_granularity(options):
        parts.append(options.granularity)
    if options.quantization == "int8" and options.inference_input_type != "int8":
        parts.append(str(options.inference_input_type))
    return "_".join(parts) + ".tflite"


def archive_path(path: Path) -> Path:
    """Return where the archive of the file at `path` lies."""
    return path.with_suffix(".sqz")


def sidecar_path(path: Path) -> Path:
    """Return where the record of the file at `path` lies."""
    return path.with_name(path.name + ".json")


def _resolve(config: ConversionConfig, source: Source) -> ConversionOptions:
    """Return the options with what only the source can tell."""
    options = config.options
    if source.clustered and not config.granularity_given:
        options = dataclasses.replace(options, granularity="per_tensor")
    text = f"{source.name}: tells {len(source.labels)} classes apart. {describe(options)}."
    description = Description(
        name=source.name,
        description=f"{text} Made by sqzkit {sqzkit.__version__}.",
        licence=source.licence or LICENCE,
    )
    return dataclasses.replace(options, description=description)


def _output_path(config: ConversionConfig) -> Path:
    if config.output_file is not None:
        return Path(config.output_file)
    folder = RunFolder(Path(str(config.model_dir)))
    stage = f"{config.stage}_" if config.stage else ""
    return folder.conversions_path / (stage + default_name(config.options))


def _refuse_outputs(path: Path, config: ConversionConfig) -> None:
    outputs = [path, sidecar_path(path), *([archive_path(path)] if config.archive else [])]
    for output in outputs:
        files.refuse_existing(output, config.overwrite)


def _check_compression(source: Source, content: bytes, config: ConversionConfig) -> None:
    """Raise `InvariantError` if a run's zeros or shared values did not survive."""
    if config.model_dir is None or config.options.quantization != "int8":
        return
    from sqzkit.compression import invariants

    invariants.check_int8_file(source.model, source.preprocessing, content)


def _verify(source: Source, content: bytes, config: ConversionConfig) -> verify.Verification | None:
    if not config.verify:
        return None
    found = sources.verification_images(source, config)
    if found is None:
        print("not verified: no photographs (give --representative_dataset_dir)")
        return None
    (images, labels), where = found
    verification = verify.verify(source.model, source.preprocessing, content, images, labels, where)
    verify.refuse_drop(verification, config.max_accuracy_drop)
    return verification


def _pack(content: bytes) -> bytes:
    from sqzkit.coding import sqz

    return sqz.pack(content)


def _record(
    source: Source,
    config: ConversionConfig,
    content: bytes,
    archive: bytes | None,
    verification: verify.Verification | None,
) -> dict[str, Any]:
    model = TFLiteFile(content)
    options = config.options
    all_sizes = {**sizes(content), **({"sqz": len(archive)} if archive else {})}
    return {
        "source": source.provenance,
        "quantization": options.quantization,
        "granularity": options.granularity if has_granularity(options) else None,
        "inference_input_type": options.inference_input_type,
        "sizes": all_sizes,
        "sha256": hashlib.sha256(content).hexdigest(),
        "operators": model.operator_counts(),
        "dtypes": model.dtype_counts(),
        "verification": verification.to_json() if verification else None,
        "preprocessing": source.preprocessing.to_json(),
        "flags": config.to_json(),
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    from importlib import metadata

    names = ("tensorflow", "tf_keras", "ai-edge-litert", "numpy")
    return {"sqzkit": sqzkit.__version__, **{name: metadata.version(name) for name in names}}


def _write(path: Path, content: bytes, archive: bytes | None, record: dict[str, Any]) -> None:
    """Write all outputs, or none: they are renamed into place when all are whole."""
    with contextlib.ExitStack() as stack:
        # The sidecar is renamed last: where it is, the rest is whole.
        files.write_json(stack.enter_context(files.atomic_path(sidecar_path(path))), record)
        if archive is not None:
            target = stack.enter_context(files.atomic_path(archive_path(path)))
            target.write_bytes(archive)
        stack.enter_context(files.atomic_path(path)).write_bytes(content)


def report(result: Result) -> str:
    """Return what to tell the user of a conversion."""
    record = result.record
    lines = [f"wrote {os.path.relpath(result.path)}  sha256 {record['sha256'][:16]}..."]
    if result.archive is not None:
        lines.append(f"wrote {os.path.relpath(result.archive)}")
    sized = ", ".join(f"{form} {size:,}" for form, size in record["sizes"].items())
    lines.append(f"bytes: {sized}")
    counted = ", ".join(f"{count} {name}" for name, count in record["operators"].items())
    lines.append(f"operators: {counted}")
    lines.append("tensors: " + ", ".join(f"{n} {kind}" for kind, n in record["dtypes"].items()))
    checked = record["verification"]
    if checked is None:
        lines.append("accuracy: not verified")
        return "\n".join(lines)
    lines.append(f"verified on {checked['examples']} photographs of {checked['where']}:")
    if checked["float_top1"] is not None:
        for kind in ("float", "converted"):
            top1, top5 = checked[f"{kind}_top1"], checked[f"{kind}_top5"]
            lines.append(f"  {kind:9} top-1 {top1:7.2%}  top-5 {top5:7.2%}")
        lines.append(f"  drop      {checked['drop']:+.2f} points")
    lines.append(f"  same first answer as float: {checked['agreement']:.2%}")
    return "\n".join(lines)
