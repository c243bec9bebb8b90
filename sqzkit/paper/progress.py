"""How much of a comparison is still to be done."""

from collections.abc import Sequence

from sqzkit.paper.config import Effort
from sqzkit.paper.folder import Row

# An epoch of SqueezeNet at its small input beside one of AlexNet at 227 pixels,
# and the writing and measuring of a row's files.
SQUEEZENET_EPOCH, TAUGHT_EPOCH, FILES = 0.1, 0.15, 0.5


def work(name: str, effort: Effort) -> float:
    """Return the work of a row, in epochs of AlexNet: measured roughly, for a forecast only."""
    chain = (effort.prune_epochs + effort.cluster_epochs + effort.quantize_epochs) * TAUGHT_EPOCH
    bred = effort.generations * effort.population * effort.offspring_epochs + effort.final_epochs
    training = {
        "alexnet": effort.alexnet_epochs,
        "svd": effort.svd_epochs + 0.5,
        "pruned": effort.pruned_epochs,
        "alexnet_dc": 2 * effort.shared_epochs,
        "squeezenet": effort.train_epochs * SQUEEZENET_EPOCH,
        "squeezenet_dc8": chain,
        "squeezenet_dc6": chain - effort.prune_epochs * TAUGHT_EPOCH,
        "evolved": bred * TAUGHT_EPOCH,
        "evolved_dc": chain,
    }
    return training[name] + FILES


def time_left(done: Sequence[Row], names: Sequence[str], effort: Effort) -> str:
    """Return ", about h:mm:ss left", or nothing before a row is finished.

    Args:
      done: finished rows.
      names: all rows.
      effort: how long they are trained.
    """
    finished = sum(work(row.name, effort) for row in done)
    if not finished:
        return ""
    missing = sum(work(name, effort) for name in names) - finished
    seconds = round(sum(row.seconds for row in done) / finished * missing)
    hours, rest = divmod(seconds, 3600)
    return f", about {hours}:{rest // 60:02d}:{rest % 60:02d} left"
