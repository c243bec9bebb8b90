"""What the networks of the ladder will take, and which cannot keep to the budget."""

import dataclasses
from collections.abc import Sequence

from sqzkit.base.errors import UsageError
from sqzkit.budget import predict
from sqzkit.budget.config import FitConfig
from sqzkit.budget.networks import Network
from sqzkit.budget.predict import Prediction
from sqzkit.preprocessing import MIN_SIZE

MIN_BITS = 7  # for each weight that is left after pruning, its place included: 8.3 to 14 are usual


@dataclasses.dataclass(frozen=True)
class Screened:
    """A network whose costs are predicted, and why it is not tried, or ""."""

    name: str
    parameters: int
    multiply_accumulates: int
    prediction: Prediction | None
    refused: str

    def __str__(self) -> str:
        if self.prediction is None:
            return f"{self.name}: {self.refused}; left out"
        found = self.prediction
        time_ = f", {found.latency_ms:.3g} ms" if found.latency_ms else ""
        end = f"; {self.refused}, left out" if self.refused else ""
        return (
            f"{self.name}: {self.parameters:,} weights, archive {found.least_bytes:,} to "
            f"{found.archive_bytes(predict.DENSE):,} bytes, memory {found.ram_bytes:,}{time_}{end}"
        )


def screen(network: Network, config: FitConfig, labels: Sequence[str]) -> Screened:
    """Predict a network, unless its size alone rules it out."""
    found = Screened(network.name, network.kernel_weights, network.multiply_accumulates, None, "")
    if reason := _hopeless(network, config):
        return dataclasses.replace(found, refused=reason)
    prediction = predict.predict(network, labels, config.seed, bool(config.max_latency_ms))
    over = [
        f"{flag} {value:,}" for flag, limit, value in _limits(prediction, config) if value > limit
    ]
    reason = f"too much for {', '.join(over)}" if over else ""
    return dataclasses.replace(found, prediction=prediction, refused=reason)


def _hopeless(network: Network, config: FitConfig) -> str:
    """Return why a network need not even be converted, or ""."""
    kept = network.kernel_weights * (1 - predict.SPARSITIES[-1])
    if kept * MIN_BITS / 8 > config.max_archive_bytes:
        return f"{kept:,.0f} weights would be left after pruning, too many for max_archive_bytes"
    return ""


def refuse_impossible(least: Prediction, config: FitConfig) -> None:
    """Raise `UsageError` for limits below what the smallest network of the ladder takes."""
    parts = [
        f"--{flag} {limit:,}: the least possible is {value:,}"
        for flag, limit, value in _limits(least, config)
        if value > limit
    ]
    if parts:
        advice = "" if config.image_size == MIN_SIZE else "; a smaller --image_size takes less"
        memory = advice if "latency" in parts[-1] or "ram" in parts[-1] else ""
        raise UsageError(f"{'; '.join(parts)}, with the smallest network that is tried{memory}")


def _limits(found: Prediction, config: FitConfig) -> list[tuple[str, float, float]]:
    """Return the limits that are set: the flag, the limit, and what a network takes at least."""
    all_ = [
        ("max_archive_bytes", config.max_archive_bytes, found.least_bytes),
        ("max_ram_bytes", config.max_ram_bytes, found.ram_bytes),
        ("max_latency_ms", config.max_latency_ms, found.latency_ms),
    ]
    return [(flag, limit, value) for flag, limit, value in all_ if limit and value]
