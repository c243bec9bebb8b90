"""What `convert.py` does, from the configuration to the files it leaves."""

import dataclasses
import hashlib
import json
from importlib import metadata
from pathlib import Path
from typing import Any

from sqzkit.base import __version__
from sqzkit.base.errors import SqzkitError
from sqzkit.coding import archive_files, sqz
from sqzkit.conversion import checks, outputs, smallest, sources, verify
from sqzkit.conversion.config import ConversionConfig
from sqzkit.conversion.converter import PricedConverter, convert_model
from sqzkit.conversion.options import ConversionOptions
from sqzkit.conversion.sources import Source
from sqzkit.models.inference import to_inference
from sqzkit.ptq.graph import read_model
from sqzkit.ptq.older import FACTOR_SLACK, OlderFile, has_one_scale
from sqzkit.ptq.optimize import equalized
from sqzkit.tflite import last_layer, phone
from sqzkit.tflite.flatbuffer import TFLiteFile
from sqzkit.tflite.metadata import LICENCE, Description


@dataclasses.dataclass(frozen=True)
class Result:
    """What was written: the `.tflite`, the sidecar's content, and the archives or None.

    Attributes:
      path: of the `.tflite`. archive: its `.sqz`. update: the `.update.sqz`.
      record: the sidecar's content.
    """

    path: Path
    archive: Path | None
    update: Path | None
    record: dict[str, Any]

    @classmethod
    def of(cls, config: ConversionConfig, path: Path, record: dict[str, Any]) -> "Result":
        """Return what a conversion wrote, given where its file lies."""
        archive = outputs.archive_path(path) if config.archive else None
        return cls(path, archive, outputs.update_path(path) if config.base else None, record)


@dataclasses.dataclass(frozen=True)
class _Made:
    """A file before it is written.

    Attributes:
      config: as asked for, or with other options where only those were accurate enough.
      tried: the files of a search of the price.
    """

    content: bytes
    verification: verify.Verification | None
    config: ConversionConfig
    tried: tuple[smallest.Tried, ...] = ()


def convert(config: ConversionConfig) -> Result:
    """Convert, verify and write; nothing is written unless all of it went well.

    What the same conversion wrote before is returned as it is; what it left when it
    was killed is written again.

    Raises:
      UsageError: the configuration does not fit what it names, or an output exists.
      RunError: the converted file loses too much accuracy, or cannot be written.
      InvariantError: the converted file is not what was asked for.
    """
    source = sources.open_source(config)
    base = archive_files.read_base(config.base)
    config = dataclasses.replace(config, options=_resolve(config, source, base))
    searched = _is_searched(source, config)
    for possible in (config, _plain(source, config)) if searched else (config,):
        path = outputs.output_path(possible)
        done = _done_before(path, source, possible, base)
        if done:
            print(f"{path} is there already, by the same flags (--overwrite makes it again)")
            return Result.of(config, path, done)
    print(f"converting {source.name} to {describe(config.options)}", flush=True)
    made = _searched(source, config) if searched else _converted(source, config, base)
    content, path = made.content, outputs.output_path(made.config)
    archive = sqz.pack(content) if config.archive else None
    update = None if base is None else sqz.pack(content, base)
    record = _record(source, made, archive, update)
    archives = {outputs.archive_path(path): archive, outputs.update_path(path): update}
    outputs.write(path, content, {name: kept for name, kept in archives.items() if kept}, record)
    return Result.of(config, path, record)


def _is_searched(source: Source, config: ConversionConfig) -> bool:
    """Return whether the price of a bit is searched: nothing else decides, and labels judge."""
    optimize = config.optimize
    free = optimize and not (optimize.archive_budget_bytes or config.base)
    # A drop of 100 points allows every file, also one without any weights.
    return bool(free and config.verify and source.test and config.max_accuracy_drop < 100)


def _plain(source: Source, config: ConversionConfig) -> ConversionConfig:
    """Return the conversion that is left where no optimized file is accurate enough."""
    options = dataclasses.replace(config.options, granularity="per_channel")
    plain = dataclasses.replace(config, options=options, optimize=None)
    return dataclasses.replace(config, options=_resolve(plain, source))


def _searched(source: Source, config: ConversionConfig) -> _Made:
    """Return the smallest optimized file that passes; if none does, the plain one."""
    images = sources.representative_images(source, config)
    assert config.optimize is not None and images is not None
    assert source.test is not None and source.validation is not None
    network = source.model, source.preprocessing
    priced = PricedConverter(*network, source.labels, config.options, images, config.optimize)
    splits = {"the validation split": source.validation(), "the test split": source.test()}
    references = [
        verify.Reference(*network, *photographs, where)
        for where, photographs in splits.items()
        if len(photographs[0]) or where == "the test split"
    ]
    tried = smallest.search(
        priced.at,
        [reference.compare for reference in references],
        priced.price,
        config.max_accuracy_drop,
        smaller=config.optimize.optimize_for == "size",
    )
    finish = last_layer.teachable if config.teachable else bytes
    passed = [item for item in tried if item.passed]
    if passed:
        content = finish(min(passed, key=lambda item: item.archive_bytes).content)
        verification = references[-1].compare(content)
        _refuse_drop(verification, config)
        return _Made(content, verification, config, tuple(tried))
    plain = _plain(source, config)
    print(
        f"note: every optimized file loses more than --max_accuracy_drop="
        f"{config.max_accuracy_drop:g}; the most accurate: {tried[-1]}. Plain rounding, "
        f"{describe(plain.options)}, is taken instead",
        flush=True,
    )
    made = _converted(source, dataclasses.replace(plain, optimize=None), None)
    return dataclasses.replace(made, config=plain, tried=tuple(tried))


def _converted(source: Source, config: ConversionConfig, base: bytes | None) -> _Made:
    """Return the file, on the scales of its older version while they serve."""
    content = _convert(source, config, base)
    finish = last_layer.teachable if config.teachable else bytes
    verification = _verify(source, finish(content), config)
    if base is None or config.optimize is not None:
        return _Made(finish(content), verification, config)
    kept = _on_old_scales(source, config, content, base)
    checked = kept and verification and _measure(source, finish(kept), config)
    lost = verification.lead(checked) if verification and checked else 0.0
    if lost > config.max_accuracy_drop:
        print(f"note: the old scales of --base lose {lost:.2f} points: new ones are taken")
        kept = None
    if kept:
        return _Made(finish(kept), checked or None, config)
    return _Made(finish(content), verification, config)


def _on_old_scales(
    source: Source, config: ConversionConfig, content: bytes, base: bytes
) -> bytes | None:
    """Return the file with the older version's scales and codes, or say why that cannot be."""
    try:
        graph, weights = read_model(to_inference(source.model), source.preprocessing)
        older = OlderFile(base, graph, weights, source.labels)
        if source.equalizable:
            weights = older.equalized(weights)
        slack = FACTOR_SLACK if source.equalizable else 0.0
        return older.write(content, older.nearest(weights, source.preprocessing, slack))
    except SqzkitError as error:
        print(f"note: nothing of {config.base} is kept: {error}", flush=True)
        return None


def _convert(source: Source, config: ConversionConfig, base: bytes | None) -> bytes:
    images = sources.representative_images(source, config)
    what = (source.model, source.preprocessing, source.labels, config.options)
    if config.optimize is not None and images is not None:
        return PricedConverter(*what, images, config.optimize, base).best()
    form = (config.options.quantization, config.options.granularity)
    if source.equalizable and images is not None and form == ("int8", "per_channel"):
        what = (equalized(source.model, source.preprocessing, images), *what[1:])
    content = convert_model(*what, images, source.foreign)
    if config.model_dir is not None and config.options.quantization == "int8":
        checks.check_compression(source.model, source.preprocessing, content)
    return content


def describe(options: ConversionOptions) -> str:
    """Return options in the words of the flags, such as "int8 per_channel, uint8 input"."""
    granularity = f" {options.granularity}" if options.has_integer_kernels else ""
    return f"{options.quantization}{granularity}, {options.inference_input_type} input"


def _resolve(
    config: ConversionConfig, source: Source, base: bytes | None = None
) -> ConversionOptions:
    """Return the options with what only the source can tell."""
    options = config.options
    per_tensor = source.clustered or (base is not None and has_one_scale(base))
    if config.optimize or (per_tensor and not config.granularity_given):
        options = dataclasses.replace(options, granularity="per_tensor")
    text = f"{source.name}: tells {len(source.labels)} classes apart. {describe(options)}."
    description = Description(
        name=source.name,
        description=f"{text} Made by sqzkit {__version__}.",
        licence=source.licence or LICENCE,
    )
    return dataclasses.replace(options, description=description)


def _verify(source: Source, content: bytes, config: ConversionConfig) -> verify.Verification | None:
    verification = _measure(source, content, config)
    if verification is None:
        return None
    _refuse_drop(verification, config)
    quantization = config.options.quantization
    verify.refuse_difference(verification, quantization, config.max_accuracy_drop, source.foreign)
    return verification


def _refuse_drop(verification: verify.Verification, config: ConversionConfig) -> None:
    if note := verify.refuse_drop(verification, config.max_accuracy_drop, verify.advice(config)):
        print(f"note: the file is {note}", flush=True)


def _measure(
    source: Source, content: bytes, config: ConversionConfig
) -> verify.Verification | None:
    if not config.verify:
        return None
    found = sources.verification_images(source, config)
    if found is None:
        print("not verified: no photographs (give --representative_dataset_dir)")
        return None
    photographs, where = found
    network = source.model, source.preprocessing
    return verify.Reference(*network, *photographs, where, source.foreign).compare(content)


def _done_before(
    path: Path, source: Source, config: ConversionConfig, base: bytes | None
) -> dict[str, Any] | None:
    """Return the record of this very conversion if it was done before.

    Raises `UsageError` for something that may not be replaced: not the remains of
    this conversion, killed before the file itself was in place.
    """
    record = None if config.overwrite else outputs.read_record(path)
    same = record is not None and _is_same(record, source, config, base)
    if record is not None and same and outputs.is_whole(path, record):
        return record
    if not same or path.exists():
        outputs.refuse_existing(config)
    return None


def _is_same(
    record: dict[str, Any], source: Source, config: ConversionConfig, base: bytes | None
) -> bool:
    """Return whether a conversion's record is of this one."""
    flags = json.loads(json.dumps({**config.to_json(), "overwrite": False}))
    return (
        record.get("source") == json.loads(json.dumps(source.provenance))
        and record.get("versions") == _versions()
        and record.get("base_sha256") == (base and hashlib.sha256(base).hexdigest())
        and {**record["flags"], "overwrite": False} == flags
    )


def _record(
    source: Source,
    made: _Made,
    archive: bytes | None,
    update: bytes | None,
) -> dict[str, Any]:
    content, config = made.content, made.config
    model = TFLiteFile(content)
    unknown = phone.unknown_operators(model)
    options = config.options
    all_sizes = {**outputs.sizes(content), **({"sqz": len(archive)} if archive else {})}
    all_sizes.update({"update": len(update)} if update else {})
    return {
        "source": source.provenance,
        "quantization": options.quantization,
        "granularity": options.granularity if options.has_integer_kernels else None,
        "inference_input_type": options.inference_input_type,
        "optimize": config.optimize.to_json() if config.optimize else None,
        "sizes": all_sizes,
        "sha256": hashlib.sha256(content).hexdigest(),
        **({"base_sha256": sqz.info(update).base_sha256} if update else {}),
        "operators": model.operator_counts(),
        **({"unknown_to_phones": unknown} if unknown else {}),
        "dtypes": model.dtype_counts(),
        "verification": made.verification.to_json() if made.verification else None,
        **({"search": [item.to_json() for item in made.tried]} if made.tried else {}),
        "preprocessing": source.preprocessing.to_json(),
        "flags": config.to_json(),
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    names = ("tensorflow", "tf_keras", "ai-edge-litert", "numpy")
    return {"sqzkit": __version__, **{name: metadata.version(name) for name in names}}


def report(result: Result) -> str:
    """Return what to tell the user of a conversion."""
    record = result.record
    lines = [f"wrote {result.path}  sha256 {record['sha256'][:16]}..."]
    if result.archive is not None:
        lines.append(f"wrote {result.archive}")
    if result.update is not None:
        base = record["base_sha256"][:16]
        lines.append(f"wrote {result.update}, an update of sha256 {base}...")
    sized = ", ".join(f"{form} {size:,}" for form, size in record["sizes"].items())
    lines.append(f"bytes: {sized}")
    counted = ", ".join(f"{count} {name}" for name, count in record["operators"].items())
    lines.append(f"operators: {counted}")
    if unknown := record.get("unknown_to_phones"):
        lines.append(f"not for phones: {phone.LIBRARY} does not know {', '.join(unknown)}")
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
