"""What a SqueezeNet is: the paper's metaparameters as one frozen record.

Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters
and <0.5MB model size", 2016, sections 3.1 to 6 and table 1.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from sqzkit.base import records
from sqzkit.base.errors import UsageError

BYPASSES = ("none", "simple", "complex")
MODULE_BYPASSES = ("none", "identity", "conv1x1")
NORMALIZATIONS = ("none", "batch")
# A record beyond these would fill the memory rather than describe a network.
MAX_CLASSES = 1 << 17
MAX_MODULES = 256
MAX_PARAMETERS = 1 << 27


@dataclasses.dataclass(frozen=True)
class FireModule:
    """One Fire module: filters of squeeze s1x1, expand e1x1 and e3x3, and its bypass.

    Attributes:
      name: "fire2", "fire3", ...
      squeeze1x1: at least 1.
      expand1x1, expand3x3: at least 0, and not both 0.
      bypass: what is added to the concatenated expands: "none", "identity"
        (the module's input) or "conv1x1" (a 1x1 convolution of it).
    """

    name: str
    squeeze1x1: int
    expand1x1: int
    expand3x3: int
    bypass: str = "none"

    @property
    def filters(self) -> int:
        """Channels of the module's output."""
        return self.expand1x1 + self.expand3x3


@dataclasses.dataclass(frozen=True)
class SqueezeNetSpec:
    """One point of the SqueezeNet design space.

    The i-th Fire module (from 0) has e_i = base_e + incr_e * floor(i / freq)
    expand filters, of which pct3x3 are 3x3, and SR * e_i squeeze filters
    (paper, section 5.1).

    Attributes:
      classes: outputs of conv10, at least 2.
      conv1_filters, conv1_kernel: the stem (stride 2, no padding).
      base_e, incr_e, freq, pct3x3, squeeze_ratio: the paper's metaparameters.
      fire_modules: number of Fire modules; the first is named fire2.
      pool_after: layers followed by a 3x3/2 maximum pooling.
      bypass: "none", "simple" (wherever a module's input and output have the
        same number of channels: fire3, 5, 7, 9 of the paper's network) or
        "complex" (the others too, through 1x1 convolutions).
      normalization: "batch" (after each convolution) or "none" (the paper's).
      dropout: share dropped after the last Fire module, 0..1 exclusive.
      conv10_relu: whether conv10 is rectified (the Caffe models are).
      conv10_padding: 1 in the published v1.0 family, else 0.
      overrides: the Fire modules written out, bypasses included, for networks
        that were cut to a shape no metaparameters give (evolution).
    """

    classes: int
    conv1_filters: int = 64
    conv1_kernel: int = 3
    base_e: int = 128
    incr_e: int = 128
    freq: int = 2
    pct3x3: float = 0.5
    squeeze_ratio: float = 0.125
    fire_modules: int = 8
    pool_after: tuple[str, ...] = ("conv1", "fire3", "fire5")
    bypass: str = "none"
    normalization: str = "batch"
    dropout: float = 0.5
    conv10_relu: bool = True
    conv10_padding: int = 0
    overrides: tuple[FireModule, ...] = ()

    def __post_init__(self) -> None:
        _check(self)

    def modules(self) -> tuple[FireModule, ...]:
        """Return the Fire modules in order."""
        if self.overrides:
            return self.overrides
        expands = [self.base_e + self.incr_e * (i // self.freq) for i in range(self.fire_modules)]
        inputs = [self.conv1_filters, *expands[:-1]]
        return tuple(self._module(i, inputs[i], expands[i]) for i in range(self.fire_modules))

    def _module(self, index: int, inputs: int, expand: int) -> FireModule:
        expand3x3 = round(expand * self.pct3x3)
        bypass = "none"
        if self.bypass != "none" and inputs == expand:
            bypass = "identity"
        elif self.bypass == "complex":
            bypass = "conv1x1"
        return FireModule(
            name=f"fire{index + 2}",
            squeeze1x1=max(1, round(expand * self.squeeze_ratio)),
            expand1x1=expand - expand3x3,
            expand3x3=expand3x3,
            bypass=bypass,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready values."""
        return {"architecture": "squeezenet", **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "SqueezeNetSpec":
        """Return the record `to_json` gave; raise `RunError` if it is not one."""
        values = {key: value for key, value in record.items() if key != "architecture"}
        return records.build(cls, values, "a SqueezeNet specification")


def v1_0(classes: int, **changes: Any) -> SqueezeNetSpec:
    """SqueezeNet v1.0 (paper, table 1): 1,248,424 parameters at 1,000 classes."""
    stem = {
        "conv1_filters": 96,
        "conv1_kernel": 7,
        "pool_after": ("conv1", "fire4", "fire8"),
    }
    return SqueezeNetSpec(classes=classes, **{**stem, **changes})


def v1_1(classes: int, **changes: Any) -> SqueezeNetSpec:
    """SqueezeNet v1.1: 1,235,496 parameters, 2.4 times less computation."""
    return SqueezeNetSpec(classes=classes, **changes)


def tiny(classes: int, **changes: Any) -> SqueezeNetSpec:
    """Return a network small enough for tests: three Fire modules, some 3,000 parameters."""
    small = {
        "conv1_filters": 8,
        "base_e": 16,
        "incr_e": 16,
        "fire_modules": 3,
        "squeeze_ratio": 0.25,
        "pool_after": ("conv1", "fire3"),
        "dropout": 0.0,
    }
    return SqueezeNetSpec(classes=classes, **{**small, **changes})


NAMED = {"v1_0": v1_0, "v1_1": v1_1, "tiny": tiny}


def named(name: str, classes: int, **changes: Any) -> SqueezeNetSpec:
    """Return the named network with fields changed; raise `UsageError` on another name."""
    if name not in NAMED:
        raise UsageError(f"--model {name!r}: must be one of {', '.join(NAMED)}")
    return NAMED[name](classes, **changes)


def _check(spec: SqueezeNetSpec) -> None:
    positive = ("conv1_filters", "conv1_kernel", "base_e", "freq", "fire_modules")
    for field in positive:
        if getattr(spec, field) < 1:
            raise UsageError(f"{field} {getattr(spec, field)}: must be 1 or more")
    if not 2 <= spec.classes <= MAX_CLASSES:
        raise UsageError(
            f"classes {spec.classes}: a classifier needs 2 or more, {MAX_CLASSES} at most"
        )
    if max(spec.fire_modules, len(spec.overrides)) > MAX_MODULES:
        raise UsageError(f"fire_modules {spec.fire_modules}: must be at most {MAX_MODULES}")
    if spec.incr_e < 0:
        raise UsageError(f"incr_e {spec.incr_e}: must be 0 or more")
    if not 0 < spec.squeeze_ratio <= 1:
        raise UsageError(f"squeeze_ratio {spec.squeeze_ratio}: must be in (0, 1]")
    if not 0 <= spec.pct3x3 <= 1:
        raise UsageError(f"pct3x3 {spec.pct3x3}: must be in 0..1")
    if not 0 <= spec.dropout < 1:
        raise UsageError(f"dropout {spec.dropout}: must be in [0, 1)")
    if spec.conv10_padding not in (0, 1):
        raise UsageError(f"conv10_padding {spec.conv10_padding}: must be 0 or 1")
    if spec.bypass not in BYPASSES:
        raise UsageError(f"bypass {spec.bypass!r}: must be one of {', '.join(BYPASSES)}")
    if spec.normalization not in NORMALIZATIONS:
        raise UsageError(
            f"normalization {spec.normalization!r}: must be one of {', '.join(NORMALIZATIONS)}"
        )
    _check_modules(spec)


def _check_modules(spec: SqueezeNetSpec) -> None:
    modules = spec.modules()
    layers = ["conv1", *(module.name for module in modules)]
    if len(set(layers)) != len(layers):
        raise UsageError(f"overrides: module names must differ, not {', '.join(layers[1:])}")
    for name in spec.pool_after:
        if name not in layers:
            raise UsageError(f"pool_after {name!r}: must be one of {', '.join(layers)}")
    if len(set(spec.pool_after)) != len(spec.pool_after):
        raise UsageError(f"pool_after {', '.join(spec.pool_after)}: a layer is named twice")
    inputs = spec.conv1_filters
    parameters = 3 * spec.conv1_kernel**2 * inputs
    for module in modules:
        _check_module(module, inputs)
        squeezed, filters = module.squeeze1x1, module.filters
        parameters += inputs * squeezed + squeezed * (module.expand1x1 + 9 * module.expand3x3)
        parameters += inputs * filters if module.bypass == "conv1x1" else 0
        inputs = filters
    parameters += inputs * spec.classes
    if parameters > MAX_PARAMETERS:
        raise UsageError(
            f"a network of {parameters:,} weights: at most {MAX_PARAMETERS:,} are built; "
            "make base_e, incr_e or fire_modules smaller"
        )
    if spec.bypass == "simple" and all(module.bypass == "none" for module in modules):
        raise UsageError(
            'bypass "simple": no Fire module has as many inputs as outputs with '
            f"freq {spec.freq}; raise freq or choose complex"
        )


def _check_module(module: FireModule, inputs: int) -> None:
    if module.squeeze1x1 < 1 or min(module.expand1x1, module.expand3x3) < 0 or module.filters < 1:
        raise UsageError(
            f"{module.name}: needs 1 or more squeeze1x1 and expand filters, "
            f"not {module.squeeze1x1}, {module.expand1x1} and {module.expand3x3}"
        )
    if module.bypass not in MODULE_BYPASSES:
        raise UsageError(
            f"{module.name}: bypass {module.bypass!r} must be one of {', '.join(MODULE_BYPASSES)}"
        )
    if module.bypass == "identity" and module.filters != inputs:
        raise UsageError(
            f"{module.name}: an identity bypass needs as many outputs as inputs, "
            f"not {module.filters} and {inputs}"
        )
