"""The design space: which values each metaparameter may take.

Iandola et al., 2016, sections 5 and 6: base_e, incr_e, pct3x3, freq, SR, the
stem, where to pool ("downsample late", section 3.1), and the bypass.
"""

import dataclasses
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from sqzkit.base.errors import UsageError
from sqzkit.models import spec as specs

INTEGERS = ("base_e", "incr_e", "freq", "fire_modules", "image_size")
REALS = ("pct3x3", "squeeze_ratio")
NAMES = ("model", "bypass", "pool_after")
DIMENSIONS = (*NAMES, *INTEGERS, *REALS)
_POOL_SEPARATOR = "+"
_TRIED_FOR_VALIDITY = 20_000
_MAX_VALUES = 1000

Value = str | int | float


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One point of the space, a network and its input size: a value for each dimension."""

    values: tuple[tuple[str, Value], ...]

    @property
    def key(self) -> str:
        """The values as canonical text: equal for equal networks of one study."""
        return json.dumps(dict(self.values), sort_keys=True)

    @property
    def flags(self) -> str:
        """The flags with which `sqzkit train` trains the same network."""
        values = ((name, str(value).replace(_POOL_SEPARATOR, ",")) for name, value in self.values)
        return " ".join(f"--{name}={value}" for name, value in values)

    def image_size(self, default: int) -> int:
        """Return the side of the input in pixels, `default` if the space leaves it open."""
        return int(dict(self.values).get("image_size", default))

    def spec(self, classes: int) -> specs.SqueezeNetSpec:
        """Return the network that `sqzkit train` would train: without ReLU after conv10.

        Raises `UsageError` if these values make none.
        """
        values: dict[str, Any] = dict(self.values)
        values.pop("image_size", None)
        if "pool_after" in values:
            values["pool_after"] = tuple(values["pool_after"].split(_POOL_SEPARATOR))
        return specs.named(values.pop("model", "v1_1"), classes, conv10_relu=False, **values)


@dataclasses.dataclass(frozen=True)
class SearchSpace:
    """The values of each dimension that is searched or fixed."""

    choices: Mapping[str, tuple[Value, ...]]

    def __post_init__(self) -> None:
        for name, values in self.choices.items():
            if len(set(values)) != len(values):
                listed = ", ".join(map(str, values))
                raise UsageError(f"--{name}: a value is named twice in {listed}")

    @property
    def size(self) -> int:
        """How many points there are, networks or not."""
        return math.prod(len(values) for values in self.choices.values())

    def candidate(self, values: Mapping[str, Value]) -> Candidate:
        """Return the candidate of one value per dimension."""
        return Candidate(tuple((name, values[name]) for name in self.choices))

    def points(self) -> Iterator[Candidate]:
        """Yield every point in a fixed order."""
        for values in itertools.product(*self.choices.values()):
            yield self.candidate(dict(zip(self.choices, values, strict=True)))

    def to_json(self) -> dict[str, list[Value]]:
        """Return the choices as JSON-ready values."""
        return {name: list(values) for name, values in self.choices.items()}


DEFAULT = {
    "model": "v1_1,v1_0",
    "base_e": "32:128:32",
    "incr_e": "0:128:32",
    "pct3x3": "0.25:0.75:0.25",
    "squeeze_ratio": "0.125:0.5:0.125",
    "pool_after": "conv1+fire3+fire5,conv1+fire4+fire8,fire3+fire5+fire8",
    "bypass": "none,simple",
}
PresetName = Literal["default", "squeeze_ratio", "pct3x3", "bypass"]
# The paper's two sweeps (section 5, figure 3) and its table 3.
PRESETS: Mapping[str, Mapping[str, str]] = {
    "default": DEFAULT,
    "squeeze_ratio": {
        "model": "v1_0",
        "squeeze_ratio": "0.125,0.25,0.5,0.75,1.0",
        "pct3x3": "0.5",
    },
    "pct3x3": {
        "model": "v1_0",
        "pct3x3": "0.01,0.125,0.25,0.375,0.5,0.625,0.75,0.875,0.99",
        "squeeze_ratio": "0.5",
    },
    "bypass": {"model": "v1_0", "bypass": "none,simple,complex"},
}


def preset_for(name: PresetName, models: str | None) -> dict[str, str]:
    """Return a preset without its poolings if one of the `models` lacks their layers.

    Such a network, as `tiny` with its three Fire modules, pools where it does by default.
    """
    texts = dict(PRESETS[name])
    pools = [
        set(places.split(_POOL_SEPARATOR)) for places in texts.get("pool_after", "").split(",")
    ]
    for model in parse("model", models) if models else ():
        modules = specs.named(str(model), classes=2).modules()
        layers = {"conv1", *(module.name for module in modules)}
        if not any(places <= layers for places in pools):
            texts.pop("pool_after", None)
    return texts


def from_texts(texts: Mapping[str, str]) -> SearchSpace:
    """Return the space that flags describe by dimension: "a,b,c" or "lowest:highest:step".

    The layers of one `pool_after` are joined by "+". Raises `UsageError` if a text does not parse,
    or names an illegal value.
    """
    return SearchSpace({name: parse(name, texts[name]) for name in DIMENSIONS if name in texts})


def parse(name: str, text: str) -> tuple[Value, ...]:
    """Return the values that the text of one dimension stands for (see `from_texts`)."""
    if name in NAMES:
        return tuple(_legal_name(name, part.strip()) for part in text.split(","))
    kind = int if name in INTEGERS else float
    try:
        if ":" in text:
            lowest, highest, step = (kind(part) for part in text.split(":"))
            return _range(lowest, highest, step)
        return tuple(kind(part) for part in text.split(","))
    except (ValueError, ArithmeticError):
        raise UsageError(
            f"--{name} {text[:100]!r}: must be {kind.__name__} values a,b,c or "
            f"lowest:highest:step with a step above 0, at most {_MAX_VALUES} of them"
        ) from None


def require_networks(space: SearchSpace, classes: int, image_size: int) -> None:
    """Raise `UsageError` unless some point of the space is a network.

    Of a very large space the first points are tried; `image_size`, in pixels, counts where the
    space leaves it open.
    """
    reason = ""
    for point in itertools.islice(space.points(), _TRIED_FOR_VALIDITY):
        reason = why_not(point, classes, image_size)
        if not reason:
            return
    raise UsageError(f"the search space holds no valid network; of the last one: {reason}")


def why_not(candidate: Candidate, classes: int, image_size: int) -> str:
    """Return why the candidate is no network, or "" if it is one."""
    from sqzkit.models.squeezenet import feature_map_sizes

    try:
        feature_map_sizes(candidate.spec(classes), candidate.image_size(image_size))
    except UsageError as error:
        return str(error)
    return ""


def _range(lowest: float, highest: float, step: float) -> tuple[Value, ...]:
    if step <= 0 or highest < lowest:
        raise ValueError
    count = math.floor((highest - lowest) / step + 1e-9) + 1
    if count > _MAX_VALUES:
        raise ValueError
    values = (lowest + index * step for index in range(count))
    return tuple(value if isinstance(value, int) else round(value, 9) for value in values)


def _legal_name(name: str, value: str) -> str:
    legal = {"model": tuple(specs.NAMED), "bypass": specs.BYPASSES}.get(name)
    if legal and value not in legal:
        raise UsageError(f"--{name} {value!r}: must be one of {', '.join(legal)}")
    return value
