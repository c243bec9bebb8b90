"""The paper's own figures for the sweeps that can be repeated here.

Iandola et al., 2016: section 5.2 (SR: 80.3 % top-5 at 4.8 MB and SR 0.125,
86.0 % at 19 MB and SR 0.75, nothing more at 1.0), section 5.3 (pct3x3: 85.6 %
at 50 %, nothing more beyond), and table 3 (bypass). ImageNet, trained in full;
what is left out is printed only as points of a figure.
"""

import dataclasses
from collections.abc import Mapping

BYTES_PER_MB = 1 << 20


@dataclasses.dataclass(frozen=True)
class PaperFigure:
    """What the paper gives for one network.

    Attributes:
      top1, top5: ImageNet accuracy, %, or None where it is not stated.
      megabytes: size of its float32 weights as printed, or None.
    """

    top1: float | None = None
    top5: float | None = None
    megabytes: float | None = None


PAPER: Mapping[str, Mapping[str | float, PaperFigure]] = {
    "squeeze_ratio": {
        0.125: PaperFigure(top5=80.3, megabytes=4.8),
        0.75: PaperFigure(top5=86.0, megabytes=19.0),
        1.0: PaperFigure(top5=86.0),
    },
    "pct3x3": {0.5: PaperFigure(top5=85.6)},
    "bypass": {
        "none": PaperFigure(57.5, 80.3, 4.8),
        "simple": PaperFigure(60.4, 82.5, 4.8),
        "complex": PaperFigure(58.8, 82.0, 7.7),
    },
}


def paper_figure(preset: str, values: Mapping[str, object]) -> PaperFigure | None:
    """Return the paper's figure for a network of a preset sweep, or None.

    Args:
      preset: name of the space's preset; the swept dimension has its name.
      values: the network's value of each dimension.
    """
    value = values.get(preset)
    return PAPER.get(preset, {}).get(value) if isinstance(value, str | float) else None
