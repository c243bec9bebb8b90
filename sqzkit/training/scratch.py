"""The network of a training from scratch, and what it takes."""

from sqzkit.data.dataset import ImageDataset
from sqzkit.models import squeezenet
from sqzkit.models.spec import ModelName, SqueezeNetSpec
from sqzkit.preprocessing import Preprocessing, default
from sqzkit.runs.folder import RunFolder
from sqzkit.training.config import DEFAULT_MODEL, DIGITS_SIZE, PHOTOGRAPH_SIZE, TrainingConfig


def network(
    folder: RunFolder, dataset: ImageDataset, config: TrainingConfig
) -> tuple[SqueezeNetSpec, Preprocessing]:
    """Return the network that a run's flags and images ask for, and the preprocessing before it."""
    size = config.image_size or image_size(dataset)
    spec = config.spec(len(dataset.labels), default_model(folder))
    return spec if config.pool_after else squeezenet.pool_less(spec, size), default(size)


def default_model(folder: RunFolder) -> ModelName:
    """Return the network of a run that names none; v1.1 if it began when that was the default."""
    began = folder.spec_path.exists()
    return "v1_1" if began and folder.read_spec().get("squeeze_relu", True) else DEFAULT_MODEL


def image_size(dataset: ImageDataset) -> int:
    """Return the default input size: 32 where the images are not larger, else 64 pixels."""
    image = dataset.split("train").examples[0].image
    small = hasattr(image, "shape") and max(image.shape[:2]) <= DIGITS_SIZE
    return DIGITS_SIZE if small else PHOTOGRAPH_SIZE
