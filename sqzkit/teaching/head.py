"""A head: what was taught, as photographs' features and as sums of photographs not present."""

import dataclasses
import unicodedata
from collections.abc import Iterator

import numpy as np

from sqzkit.base.errors import UsageError
from sqzkit.data.layout import UNSTORABLE
from sqzkit.teaching import fitting
from sqzkit.teaching.fitting import Choice, Discriminant
from sqzkit.teaching.sums import MAX_FEATURE, MAX_PHOTOGRAPHS, Sums

MAX_CLASSES = 1000
MAX_NAME_BYTES = 255
_ROW = np.dtype("<i2")


@dataclasses.dataclass(frozen=True)
class Taught:
    """A head ready to answer.

    Attributes:
      labels: class names, in the order of their UTF-8 bytes.
      discriminant: from features to scores.
      choice: strength, temperature and threshold.
    """

    labels: tuple[str, ...]
    discriminant: Discriminant
    choice: Choice

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return float64 [N, classes] for features [N, d]; they sum to 1."""
        scores = self.discriminant.scores(features)
        return fitting.probabilities(scores, self.choice.temperature)

    def evidence(self, features: np.ndarray) -> np.ndarray:
        """Return how much speaks for "none of these", float64 [N]."""
        scores = self.discriminant.scores(features)
        return fitting.evidence(scores, self.discriminant.distances(features))

    def is_none(self, features: np.ndarray) -> np.ndarray:
        """Return whether photographs show none of the classes, bool [N]."""
        return np.asarray(self.evidence(features) > self.choice.threshold)


class Head:
    """Classes, and what is known of each: exact, and independent of the order of teaching.

    A photograph is the int16 features of it. The same features in the same class count once.
    Sums of photographs whose features are not there (`without_photographs`) take part in
    everything but removal.

    Args:
      digest: of the network's features (`last_layer.digest`), 32 bytes.
      size: number of features.

    Attributes:
      photographs: the features' bytes (little-endian) by class.
      absent: count and sum of features, int64 [size], by class, of absent photographs.
      absent_gram: int64 [size, size], or None if there are none.
      choice: what left-out photographs decided, or None if the head has changed since.
    """

    def __init__(self, digest: bytes, size: int) -> None:
        self.digest = digest
        self.size = size
        self.photographs: dict[str, set[bytes]] = {}
        self.absent: dict[str, tuple[int, np.ndarray]] = {}
        self.absent_gram: np.ndarray | None = None
        self.choice: Choice | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of their UTF-8 bytes."""
        return tuple(sorted({*self.photographs, *self.absent}, key=str.encode))

    @property
    def counts(self) -> tuple[int, ...]:
        """How many photographs each class has, absent ones included, in the order of `labels`."""
        return tuple(
            len(self.photographs.get(name, ())) + self.absent.get(name, (0,))[0]
            for name in self.labels
        )

    def add(self, name: str, features: np.ndarray) -> bool:
        """Teach a photograph; return whether it is new to its class.

        Args:
          name: of the class, which is made if there is none.
          features: int16 [size].

        Raises:
          UsageError: the name cannot be stored, or there are too many classes or photographs.
        """
        check_name(name)
        row = self._row(features)
        is_known = name in self.photographs or name in self.absent
        if not is_known and len(self.labels) >= MAX_CLASSES:
            raise UsageError(f"class {name!r}: a head holds at most {MAX_CLASSES} classes")
        # Without `counts`, which sorts the classes: this is done for each photograph.
        absent = sum(count for count, _ in self.absent.values())
        if sum(map(len, self.photographs.values())) + absent >= MAX_PHOTOGRAPHS:
            raise UsageError(f"a head holds at most {MAX_PHOTOGRAPHS:,} photographs")
        known = self.photographs.setdefault(name, set())
        if row in known:
            return False
        known.add(row)
        self.choice = None
        return True

    def remove(self, name: str, features: np.ndarray) -> None:
        """Take a photograph back; a class without photographs goes with its last one.

        Raises:
          UsageError: the class does not hold it.
        """
        known = self.photographs.get(name, set())
        row = self._row(features)
        if row not in known:
            raise UsageError(f"class {name!r} does not hold this photograph")
        known.remove(row)
        if not known:
            del self.photographs[name]
        self.choice = None

    def rename(self, name: str, new: str) -> None:
        """Give a class another name; merge it with the class of that name if there is one.

        Raises:
          UsageError: there is no class `name`, or `new` cannot be stored.
        """
        check_name(new)
        self._refuse_missing(name)
        if new == name:
            return
        if name in self.photographs:
            moved = self.photographs.pop(name)
            self.photographs[new] = self.photographs.get(new, set()) | moved
        if name in self.absent:
            count, total = self.absent.pop(name)
            other = self.absent.get(new, (0, np.zeros(self.size, np.int64)))
            self.absent[new] = (count + other[0], total + other[1])
        self.choice = None

    def merge(self, other: "Head") -> "Head":
        """Return the head of both heads' photographs; classes of one name become one.

        Raises:
          UsageError: they belong to different networks, or are too large together.
        """
        refuse_other(other.digest, self.digest, "the heads")
        if other.size != self.size:
            raise UsageError(f"a head of {other.size} features and one of {self.size}: not merged")
        both = self._copy()
        for name, rows in other.photographs.items():
            both.photographs[name] = both.photographs.get(name, set()) | rows
        for name, (count, total) in other.absent.items():
            mine = both.absent.get(name, (0, np.zeros(self.size, np.int64)))
            both.absent[name] = (count + mine[0], total + mine[1])
        if other.absent_gram is not None:
            mine_gram = both.absent_gram
            both.absent_gram = other.absent_gram + (0 if mine_gram is None else mine_gram)
        if len(both.labels) > MAX_CLASSES or sum(both.counts) > MAX_PHOTOGRAPHS:
            raise UsageError(
                f"{len(both.labels):,} classes and {sum(both.counts):,} photographs together: a "
                f"head holds at most {MAX_CLASSES:,} and {MAX_PHOTOGRAPHS:,}"
            )
        if not both.photographs:
            both.choice = _more_cautious(self.choice, other.choice)
        return both

    def without_photographs(self) -> "Head":
        """Return a head with the sums of all photographs and the features of none.

        Raises:
          UsageError: nothing was taught yet.
        """
        self._refuse_empty()
        sums, rest = self.sums(), Head(self.digest, self.size)
        for name, count, total in zip(self.labels, sums.counts, sums.sums, strict=True):
            rest.absent[name] = (int(count), total)
        rest.absent_gram = sums.gram
        rest.choice = self.choice or fitting.choose(sums, *self.rows())
        return rest

    def sums(self) -> Sums:
        """Return the sums over all photographs, classes in the order of `labels`."""
        sums = Sums.over(*self.rows(), len(self.labels))
        if self.absent_gram is None:
            return sums
        nothing = (0, np.zeros(self.size, np.int64))
        known = [self.absent.get(name, nothing) for name in self.labels]
        counts = np.array([count for count, _ in known], np.int64)
        return sums + Sums(counts, np.stack([total for _, total in known]), self.absent_gram)

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Return features, int16 [N, size], and class numbers, int64 [N], in stored order."""
        found = list(self.stored())
        content = b"".join(row for _, row in found)
        features = np.frombuffer(content, _ROW).reshape(-1, self.size).astype(np.int16)
        return features, np.array([label for label, _ in found], np.int64)

    def stored(self) -> Iterator[tuple[int, bytes]]:
        """Yield (class number, features' bytes) by class, in the order of the bytes."""
        for number, name in enumerate(self.labels):
            for row in sorted(self.photographs.get(name, ())):
                yield number, row

    def teach(self) -> Taught:
        """Return the classifier of everything taught.

        Raises:
          UsageError: nothing was taught yet.
          FormatError: the sums cannot be those of photographs.
        """
        self._refuse_empty()
        sums = self.sums()
        if self.choice is None:
            self.choice = fitting.choose(sums, *self.rows())
        strength = fitting.STRENGTHS[self.choice.strength]
        return Taught(self.labels, fitting.discriminant(sums, strength), self.choice)

    def _refuse_empty(self) -> None:
        if not self.labels:
            raise UsageError("nothing was taught yet: add photographs first")

    def _copy(self) -> "Head":
        copy = Head(self.digest, self.size)
        copy.photographs = {name: set(rows) for name, rows in self.photographs.items()}
        copy.absent, copy.absent_gram = dict(self.absent), self.absent_gram
        return copy

    def _row(self, features: np.ndarray) -> bytes:
        fits = features.shape == (self.size,) and features.dtype == np.int16
        if not fits or (features < -MAX_FEATURE).any():
            raise UsageError(
                f"features {features.dtype} {list(features.shape)}: must be int16 [{self.size}], "
                f"at least {-MAX_FEATURE}"
            )
        return features.astype(_ROW).tobytes()

    def _refuse_missing(self, name: str) -> None:
        if name not in self.labels:
            raise UsageError(f"no class {name!r}: there are {', '.join(self.labels) or 'none'}")


def check_name(name: str) -> None:
    """Raise `UsageError` for a class name that cannot be stored."""
    kinds = {unicodedata.category(letter) for letter in name}
    if not name.strip() or name != name.strip() or kinds & UNSTORABLE:
        raise UsageError(
            f"class name {name!r}: must be one line of text, without control characters and "
            "without spaces at its ends"
        )
    if len(name.encode()) > MAX_NAME_BYTES:
        raise UsageError(f"class name {name[:20]!r}...: at most {MAX_NAME_BYTES} bytes as UTF-8")


def refuse_other(digest: bytes, expected: bytes, what: str) -> None:
    """Raise `UsageError` if a head was taught on the features of another network."""
    if digest != expected:
        raise UsageError(
            f"{what}: taught on features {digest.hex()[:16]}, these are {expected.hex()[:16]}; "
            "use the model it was taught on, or teach the photographs again"
        )


def _more_cautious(first: Choice | None, second: Choice | None) -> Choice | None:
    """Return the larger of each value; it serves only where no photograph can be left out."""
    if first is None or second is None:
        return None
    pairs = zip(dataclasses.astuple(first), dataclasses.astuple(second), strict=True)
    return Choice(*(max(pair) for pair in pairs))
