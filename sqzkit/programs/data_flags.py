"""The flags that name a data set, for the programs that need no others of it. Light."""

from absl import flags

from sqzkit.data.source import FLIPS

# Whoever calls `define` counts as their definer, so that its --help lists them.
flags.disclaim_key_flags()


def define() -> dict[str, flags.FlagHolder]:
    """Define them; return the holders by field of `DataSource`."""
    return {
        "data_dir": flags.DEFINE_string(
            "data_dir", None, "Folder of photographs; default: digits."
        ),
        "tfds_name": flags.DEFINE_string("tfds_name", None, "TFDS data set, such as cifar10."),
        "tfds_data_dir": flags.DEFINE_string(
            "tfds_data_dir", None, "Where TFDS keeps its data sets."
        ),
        "tfds_download": flags.DEFINE_boolean("tfds_download", False, "Let TFDS fetch it."),
        "flip": flags.DEFINE_enum(
            "flip", "auto", FLIPS, "Whether a mirror image keeps its meaning."
        ),
        "max_broken_share": flags.DEFINE_float(
            "max_broken_share", 0.05, "Share of unreadable images."
        ),
    }
