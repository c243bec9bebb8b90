"""Which photographs a run was made from, and what has changed since."""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqzkit.base import files
from sqzkit.base.errors import RunError, UsageError
from sqzkit.data.dataset import Example, ImageDataset, Split
from sqzkit.data.picture import DIGEST_LETTERS
from sqzkit.data.tree import some
from sqzkit.preprocessing.decoding import MAX_BYTES

FIELDS = ("counts", "version", "account", "photographs", "digests")  # of `record`
FILE = "data.json"  # of a record in the folder of a study or a comparison
MAX_PHOTOGRAPHS = 200_000  # more are counted, but not listed
_PICTURES = "pictures"  # without metadata; the runs of earlier versions digested whole files


@dataclasses.dataclass(frozen=True)
class Changes:
    """How photographs differ from those of a run; names below the data folder.

    Attributes:
      added: new content under a new name.
      changed: new content under a known name.
      removed: content that is nowhere any more.
      relabeled: known content in another class.
      renamed: known content of the class under another name, and that name.
    """

    added: list[str]
    changed: list[str]
    removed: list[str]
    relabeled: list[str]
    renamed: list[str]

    @property
    def lost(self) -> bool:
        """Whether some photographs of the run cannot be had as they were."""
        return bool(self.changed or self.removed or self.relabeled)

    def sentence(self) -> str:
        """Return one line; empty if nothing differs."""
        words = {
            "added": "added (not used)",
            "changed": "changed (not used)",
            "removed": "removed",
            "relabeled": "moved to another class (not used)",
            "renamed": "renamed (used as before)",
        }
        parts = [
            f"{len(names):,} {words[kind]}: {some(names)}"
            for kind, names in dataclasses.asdict(self).items()
            if names
        ]
        return f"photographs since the run began: {'; '.join(parts)}" if parts else ""


def record(dataset: ImageDataset) -> dict[str, Any]:
    """Return what a run's `data.json` keeps of its data: counts, names and content.

    Returns:
      JSON-ready values: `counts` by split and class, `version` (of TFDS data sets), the
      `account` of a folder's files, `photographs`: for each split and class the name below
      the folder and the digest of each photograph, empty above `MAX_PHOTOGRAPHS`; and
      `digests`: what these are of.
    """
    photographs: dict[str, dict[str, dict[str, str]]] = {}
    if dataset.num_examples <= MAX_PHOTOGRAPHS:
        for split, label, example in _walk(dataset):
            if name := dataset.name_of(example):
                photographs.setdefault(split, {}).setdefault(label, {})[name] = example.digest
    counts = {
        split: dict(zip(dataset.labels, map(int, dataset.class_counts(split)), strict=True))
        for split in dataset.splits
    }
    account = dataset.account.to_json()
    values = (counts, dataset.version, account, photographs, _PICTURES)
    return dict(zip(FIELDS, values, strict=True))


def restore(
    dataset: ImageDataset, recorded: Mapping[str, Any], flag: str = "--data_dir"
) -> Changes:
    """Give every photograph to the split it had in the run, wherever the data lie now.

    Photographs that the run did not have are dropped: nothing is measured on what was trained
    on, and an accuracy stays that of the same photographs.

    Args:
      dataset: the run's data, just opened; changed in place.
      recorded: `record` of the data when the run began.
      flag: that names the folder.

    Raises:
      UsageError: none of a split's photographs is left, or another version of a TFDS data set.
      RunError: the record is damaged.
    """
    version = recorded.get("version", dataset.version)
    if version != dataset.version:
        raise UsageError(
            f"{dataset.name}: the run was made from {version!r}, this is {dataset.version!r}; "
            "give the same version"
        )
    known = _known(recorded)
    if not known:
        return Changes([], [], [], [], [])
    kept: dict[str, list[Example]] = {split: [] for split in dataset.splits}
    changes = _compare(dataset, known, kept, _digests(dataset, recorded))
    for split, examples in kept.items():
        if not examples:
            found = f" ({changes.sentence()})" if changes.sentence() else ""
            raise UsageError(
                f"{dataset.root}: holds none of the photographs of the run's split {split} in "
                f"their classes{found}; give the run's data as {flag}"
            )
        if set(map(id, examples)) != set(map(id, dataset.splits[split].examples)):
            examples.sort(key=lambda example: (example.label, _parts(dataset, example)))
            dataset.splits[split] = Split(tuple(examples))
    return changes


def read(folder: Path) -> dict[str, Any] | None:
    """Return the record of the photographs in the folder of a study or a comparison, or None."""
    path = folder / FILE
    return files.read_json(path) if path.exists() else None


def resume(dataset: ImageDataset, recorded: Mapping[str, Any], what: str, flag: str) -> None:
    """Restore the splits of something that was begun, and print what differs.

    Args:
      dataset: just opened; changed in place.
      recorded: `record` of the data at the beginning.
      what: was begun, such as "run".
      flag: that names another place for it.

    Raises:
      UsageError: classes or photographs were changed or removed.
      RunError: the record is damaged.
    """
    classes = recorded.get("photographs", {}).get("train", {})
    if classes and set(classes) != set(dataset.labels):
        raise UsageError(
            f"{dataset.name}: has the classes {some(list(dataset.labels))}, the {what} was begun "
            f"with {some(sorted(classes))}; give the same data, or another {flag}"
        )
    changes = restore(dataset, recorded)
    if changes.lost:
        raise UsageError(
            f"--data_dir {dataset.root}: {changes.sentence()}; restore the photographs, or "
            f"begin a new {what} with another {flag}"
        )
    if changes.sentence():
        print(changes.sentence(), flush=True)


def follow(dataset: ImageDataset, recorded: Mapping[str, Any]) -> None:
    """Give each photograph that an older run had to the split that it had there.

    So nothing is measured on what the older run was trained on. New ones stay where they are.

    Raises:
      RunError: the record is damaged.
    """
    known = _known(recorded)
    digests = _digests(dataset, recorded)
    kept: dict[str, list[Example]] = {split: [] for split in dataset.splits}
    for split, _, example in _walk(dataset):
        before = known.get(digests[id(example)], (split,))[0]
        kept[before if before in kept else split].append(example)
    for split, examples in kept.items():
        if examples and len(known):
            dataset.splits[split] = Split(tuple(examples))


def renamed(dataset: ImageDataset, recorded: Mapping[str, Any]) -> dict[str, str]:
    """Return the old name, by new name, of classes whose photographs had another one in a run.

    Most of a class's photographs that are known must have had that name, which no class of
    `dataset` has any more.

    Raises:
      RunError: the record is damaged.
    """
    known, before = _known(recorded), {}
    labels = {label for _, label, _ in known.values()}
    digests = _digests(dataset, recorded)
    for label in set(dataset.labels) - labels:
        then = Counter(
            known[digests[id(example)]][1]
            for _, now, example in _walk(dataset)
            if now == label and digests[id(example)] in known
        )
        if then and (name := then.most_common(1)[0][0]) not in dataset.labels:
            before[label] = name
    return before


def exclude_trained(dataset: ImageDataset, recorded: Mapping[str, Any], split: str) -> list[str]:
    """Drop, from a split of other data, what the run was trained on; return the names.

    Raises:
      UsageError: nothing is left.
      RunError: the record is damaged.
    """
    why = f"the run was trained on every photograph of split {split}; give photographs that it"
    return _exclude(dataset, recorded, split, ("train", "validation"), f"{why} has not seen")


def exclude_measured(dataset: ImageDataset, recorded: Mapping[str, Any], split: str) -> list[str]:
    """Drop, from a split of other data, what the run is measured on; return the names.

    Raises:
      UsageError: nothing is left.
      RunError: the record is damaged.
    """
    why = "holds only photographs that the run is measured on; give others"
    return _exclude(dataset, recorded, split, ("validation", "test"), why)


def _exclude(
    dataset: ImageDataset, recorded: Mapping[str, Any], split: str, parts: Sequence[str], why: str
) -> list[str]:
    known, digests = _known(recorded), _digests(dataset, recorded)
    dropped = {digest for digest, (part, _, _) in known.items() if part in parts}
    examples = dataset.split(split).examples
    return leave_out(dataset, split, [e for e in examples if digests[id(e)] in dropped], why)


def leave_out(dataset: ImageDataset, split: str, dropped: Sequence[Example], why: str) -> list[str]:
    """Drop examples of a split; return their names.

    Args:
      dataset: changed in place.
      split: of the data set.
      dropped: some of its examples.
      why: what to say if nothing is left.

    Raises:
      UsageError: nothing is left.
    """
    examples, gone = dataset.split(split).examples, set(map(id, dropped))
    if gone and len(gone) == len(examples):
        raise UsageError(f"{dataset.root}: {why}")
    if gone:
        dataset.splits[split] = Split(tuple(e for e in examples if id(e) not in gone))
    return [dataset.name_of(example) for example in dropped]


def is_same_data(dataset: ImageDataset, recorded: Mapping[str, Any]) -> bool:
    """Return whether most photographs of the run are in this data set."""
    known = _known(recorded)
    here = set(_digests(dataset, recorded).values())
    return bool(known) and 2 * len(here & known.keys()) >= len(known)


def _compare(
    dataset: ImageDataset,
    known: Mapping[str, tuple[str, str, str]],
    kept: dict[str, list[Example]],
    digests: Mapping[int, str],
) -> Changes:
    known_names = {name for _, _, name in known.values()}
    changes = Changes([], [], [], [], [])
    found = set()
    for _, label, example in _walk(dataset):
        name, digest = dataset.name_of(example), digests[id(example)]
        if digest not in known:
            (changes.changed if name in known_names else changes.added).append(name)
            continue
        found.add(digest)
        split, known_label, known_name = known[digest]
        if label == known_label and split in kept:
            kept[split].append(example)
            if name != known_name:
                changes.renamed.append(f"{known_name} -> {name}")
        else:
            changes.relabeled.append(name)
    gone = sorted(known[digest][2] for digest in known.keys() - found)
    changes.removed.extend(name for name in gone if name not in set(changes.changed))
    for names in (changes.added, changes.changed, changes.relabeled, changes.renamed):
        names.sort()
    return changes


def _digests(dataset: ImageDataset, recorded: Mapping[str, Any]) -> dict[int, str]:
    """Return the digests of the kind that a record holds, by `id` of the example."""
    examples = [example for _, _, example in _walk(dataset)]
    if recorded.get("digests") == _PICTURES or not recorded.get("photographs"):
        return {id(example): example.digest for example in examples}
    return {id(example): _digest_of_file(example) for example in examples}


def _digest_of_file(example: Example) -> str:
    if not isinstance(example.image, Path):
        return ""
    content = files.read_bytes(example.image, MAX_BYTES)
    return hashlib.sha256(content).hexdigest()[:DIGEST_LETTERS]


def _known(recorded: Mapping[str, Any]) -> dict[str, tuple[str, str, str]]:
    """Return (split, class, name) by digest."""
    try:
        return {
            digest: (split, label, name)
            for split, classes in recorded.get("photographs", {}).items()
            for label, photographs in classes.items()
            for name, digest in photographs.items()
        }
    except (AttributeError, TypeError):
        raise RunError("data.json: its list of photographs is damaged") from None


def _walk(dataset: ImageDataset) -> Iterator[tuple[str, str, Example]]:
    for split, content in dataset.splits.items():
        for example in content.examples:
            yield split, dataset.labels[example.label], example


def _parts(dataset: ImageDataset, example: Example) -> tuple[str, ...]:
    assert dataset.root is not None
    assert isinstance(example.image, Path)
    return example.image.relative_to(dataset.root).parts
