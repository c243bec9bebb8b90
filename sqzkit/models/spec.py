"""What a SqueezeNet is: the paper's metaparameters as one frozen record.

Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters
and <0.5MB model size", 2016, sections 3.1 to 6 and table 1.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from sqzkit.base import records, settings
from sqzkit.base.errors import UsageError
from sqzkit.base.settings import setting

ModelName = Literal["v1_0", "v1_1", "v1_2", "tiny"]
Bypass = Literal["none", "simple", "complex"]
ModuleBypass = Literal["none", "identity", "conv1x1"]
Normalization = Literal["none", "batch"]
BYPASSES: tuple[Bypass, ...] = get_args(Bypass)
MODULE_BYPASSES: tuple[ModuleBypass, ...] = get_args(ModuleBypass)
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
      squeeze_relu: whether the squeeze layers are rectified (not in SqueezeNet v1.2).
      overrides: the Fire modules written out, bypasses included, for networks
        that were cut to a shape no metaparameters give (evolution).
    """

    classes: int = setting(minimum=2, maximum=MAX_CLASSES)
    conv1_filters: int = setting(64, minimum=1)
    conv1_kernel: int = setting(3, minimum=1)
    base_e: int = setting(
        128, minimum=1, help="Expand filters of the first Fire module (paper, section 5.1)."
    )
    incr_e: int = setting(
        128, minimum=0, help="Expand filters added after every --freq Fire modules."
    )
    freq: int = setting(2, minimum=1, help="Fire modules between two additions of --incr_e.")
    pct3x3: float = setting(
        0.5, minimum=0, maximum=1, help="Share of the expand filters that are 3x3."
    )
    squeeze_ratio: float = setting(
        0.125, above=0, maximum=1, help="Squeeze filters divided by expand filters."
    )
    fire_modules: int = setting(
        8, minimum=1, maximum=MAX_MODULES, help="Number of Fire modules; the first is fire2."
    )
    pool_after: tuple[str, ...] = setting(
        ("conv1", "fire3", "fire5"), help="Layers followed by a pooling."
    )
    bypass: Bypass = setting("none", help="Shortcuts around Fire modules (paper, section 6).")
    normalization: Normalization = setting(
        "batch", help="'batch' trains well from scratch; 'none' is the paper's network."
    )
    dropout: float = setting(
        0.5, minimum=0, below=1, help="Share of activations dropped before conv10 in training."
    )
    conv10_relu: bool = setting(
        True, help="Rectify conv10, as the paper does. Training from scratch then loses classes."
    )
    conv10_padding: int = setting(0, minimum=0, maximum=1)
    squeeze_relu: bool = True
    overrides: tuple[FireModule, ...] = ()

    def __post_init__(self) -> None:
        settings.check(self, prefix="")
        _check_modules(self)

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
        values = dataclasses.asdict(self)
        if self.squeeze_relu:  # as in records from before the field
            del values["squeeze_relu"]
        return {"architecture": "squeezenet", **values}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "SqueezeNetSpec":
        """Return the record `to_json` gave; raise `RunError` if it is not one."""
        values = {key: value for key, value in record.items() if key != "architecture"}
        values.setdefault("squeeze_relu", True)
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


def v1_2(classes: int, **changes: Any) -> SqueezeNetSpec:
    """SqueezeNet v1.2: v1.1 without ReLU after the squeeze layers, which costs nothing."""
    return SqueezeNetSpec(classes=classes, **{"squeeze_relu": False, **changes})


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


NAMED: Mapping[str, Callable[..., SqueezeNetSpec]] = {
    "v1_0": v1_0,
    "v1_1": v1_1,
    "v1_2": v1_2,
    "tiny": tiny,
}


def named(name: str, classes: int, **changes: Any) -> SqueezeNetSpec:
    """Return the named network with fields changed; raise `UsageError` on another name."""
    if name not in NAMED:
        raise UsageError(f"--model {name!r}: must be one of {', '.join(NAMED)}")
    return NAMED[name](classes, **changes)


def _check_modules(spec: SqueezeNetSpec) -> None:
    if len(spec.overrides) > MAX_MODULES:
        raise UsageError(f"overrides: at most {MAX_MODULES} modules, not {len(spec.overrides)}")
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
