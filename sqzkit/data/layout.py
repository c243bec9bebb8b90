"""Which folders are splits and which are classes."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sqzkit.base.errors import UsageError
from sqzkit.data.tree import Account, Folder, shown
from sqzkit.preprocessing.decoding import suffixes

SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
# Control characters, line and paragraph separators, and bytes that are not UTF-8.
UNSTORABLE = frozenset(("Cc", "Zl", "Zp", "Cs"))  # Unicode categories
# Letters that turn the text after them round.
_REORDERING = frozenset("LRE RLE LRO RLO PDF LRI RLI FSI PDI".split())
# Variation selectors, and letters that are drawn as a blank.
_UNSEEN = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef\u115f\u1160\u3164\uffa0\u2800]")
# Letters that are drawn alike, each group behind the one that it is taken for: Latin, Cyrillic,
# Greek and Armenian; Persian and Arabic; Chinese and katakana; dashes and quotation marks.
_DRAWN_ALIKE = (
    "aаαɑ AАΑ BВΒ cсϲ CС dԁ eе EЕΕ gɡց GԌ hһհ HНΗ iіι IІΙ jјյ JЈ kκ KКΚ lӏ MМΜ nո NΝ"  # noqa: RUF001
    " oоοօ OОΟ pрρ PРΡ qԛգ sѕ SЅ TТΤ uυս vνѵ wԝ xхχ XХΧ yу YУΥ ZΖ یيى کك ー一 -‐‑‒–—−⁃"  # noqa: RUF001
    " 力カ 工エ 口ロ 夕タ 二ニ 卜ト 八ハ へヘ '’‘ʼ`´ \"“”"  # noqa: RUF001
)
_TAKEN_FOR = {ord(other): group[0] for group in _DRAWN_ALIKE.split() for other in group[1:]}
_ADVICE = (
    "split folders may be called train, training; val, valid, validation, dev; test, testing, "
    "eval, evaluation. If they are classes, put the class folders into one folder named train"
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SPLIT_WORD = re.compile(
    rf"(?:{'|'.join(SPLIT_NAMES)}|trainval|holdout|heldout|trn|tst|tr|te|unseen|k?folds?|query"
    "|gallery|probe|(?:un)?labell?ed)(?:set|data|images|imgs)?",
    re.IGNORECASE,
)
# Folders of data sets for segmentation and detection: pictures, and what goes with each of them.
_PICTURES = frozenset(
    "image images img imgs jpegimages picture pictures photo photos frame frames rgb input inputs"
    " original originals".split()
)
_ANNOTATIONS = frozenset(
    "mask masks label labels annotation annotations annots anno annos segmentation segmentations"
    " seg segs semantic instance gt gts groundtruth truth trimap trimaps matte mattes depth bbox"
    " bboxes target targets output outputs".split()
)
_ANNOTATED = re.compile(r"[-_. ](?:mask|seg|segmentation|label|annotation|gt)s?$", re.IGNORECASE)
# Names of splits in other languages: asked about, since one of them may also be a class.
_FOREIGN_WORDS = (
    "entrenamiento validación prueba pruebas entraînement apprentissage essai evaluación"
    " évaluation Trainingsdaten Validierung Validierungsdaten Prüfung Testdaten treino"
    " treinamento validação teste testes addestramento allenamento validazione convalida prova"
    " collaudo validatie trening treningowy walidacja testowy eğitim doğrulama обучение"
    " обучающая тренировка валидация проверка тест тестовая 训练 训练集 訓練 訓練集 验证 验证集"
    " 驗證 驗證集 测试 测试集 測試 測試集 学習 学習用 検証 検証用 テスト 評価 훈련 학습 검증"
    " 테스트 평가"
).split()
Classes = dict[str, list[Path]]  # photographs by class name


def paths_of(by_class: Classes) -> list[Path]:
    """Return the photographs of all classes."""
    return [path for paths in by_class.values() for path in paths]


def split_of(folder_name: str) -> str | None:
    """Return the split that a folder is by its name, or None."""
    return SPLIT_NAMES.get(unicodedata.normalize("NFKC", folder_name).strip(" .").lower())


def _folded(word: str) -> str:
    letters = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


_FOREIGN = frozenset(map(_folded, _FOREIGN_WORDS))


def find_splits(tree: Folder) -> dict[str, Classes]:
    """Return the photographs of each split and class.

    Raises:
      UsageError: a split is there twice, or folders look like splits that cannot be read as such.
    """
    tree = _unwrapped(tree, below_split=False)
    splits: dict[str, Folder] = {}
    others = []
    for name, folder in tree.folders.items():
        split = split_of(name)
        if split is None:
            if not folder.is_empty:
                others.append(name)
        elif split in splits:
            raise UsageError(
                f"{tree.path}: {splits[split].path.name} and {name} are the same split; keep one"
            )
        else:
            splits[split] = folder
    if not splits:
        _refuse_unclear(tree)
        return {"train": _by_class(tree)}
    if "train" not in splits:
        raise UsageError(f"{tree.path}: {_quoted(f.path.name for f in splits.values())} but no "
                         f"folder named train; {_ADVICE}")  # fmt: skip
    if others:
        raise UsageError(
            f"{tree.path}: {others[0]!r} stands beside {splits['train'].path.name!r}; keep only "
            f"train, val and test folders there, or only class folders; {_ADVICE}"
        )
    return {
        split: _by_class(_unwrapped(folder, below_split=True)) for split, folder in splits.items()
    }


def _unwrapped(folder: Folder, below_split: bool) -> Folder:
    """Return the folder below those that hold nothing but one folder of folders."""
    while True:
        _refuse_annotations(folder)
        filled = [child for child in folder.folders.values() if not child.is_empty]
        if len(filled) != 1 or all(child.is_empty for child in filled[0].folders.values()):
            return folder
        if not below_split and split_of(filled[0].path.name):
            return folder
        folder = filled[0]


def _refuse_annotations(folder: Folder) -> None:
    """Raise `UsageError` for a folder of pictures beside one of their masks or labels."""
    words = {name: {w.lower() for w in _WORD.findall(name)} for name in folder.folders}
    about = [name for name in words if words[name] & _ANNOTATIONS]
    pictures = [
        name
        for name, child in folder.folders.items()
        if words[name] & _PICTURES and name not in about and not child.is_empty
    ]
    if not about or not pictures:
        return
    others = [child for name, child in folder.folders.items() if name not in (*about, *pictures)]
    if not all(child.is_empty for child in others):
        first, second = (_stems(folder.folders[name]) for name in (pictures[0], about[0]))
        if 2 * len(first & second) < len(first):
            return
    raise UsageError(
        f"{folder.path}: {pictures[0]!r} beside {about[0]!r} looks like a data set for "
        "segmentation or detection; sqzkit learns one class for each photograph: put the "
        "photographs into one folder for each class. If these are classes, name them for what "
        f"their photographs show, not {pictures[0]!r}"
    )


def _stems(folder: Folder) -> set[str]:
    return {_ANNOTATED.sub("", path.stem) for path in folder.everything()}


def _refuse_unclear(tree: Folder) -> None:
    """Raise `UsageError` for class folders that look like splits, or hold splits."""
    alike = [folder for name, folder in tree.folders.items() if _words_of_splits(name)]
    alike = alike or _numbered_parts(tree)
    nested = [folder for folder in alike if folder.folders and not folder.photographs]
    if len(alike) > 1 or nested:
        raise UsageError(
            f"{tree.path}: {_quoted(folder.path.name for folder in alike)} look like splits, "
            f"but are not named train, val or test; {_ADVICE}"
        )
    _refuse_equal_parts(tree)
    inner = {
        split: folder.path.name for folder in tree.folders.values() for split in _splits_in(folder)
    }
    if len(inner) > 1:
        raise UsageError(
            f"{tree.path}: {_quoted(sorted(set(inner.values())))} would be classes and hold splits "
            f"({', '.join(sorted(inner))}); make folders train, val and test with the class "
            "folders in each"
        )


def _numbered_parts(tree: Folder) -> list[Folder]:
    """Return folders whose names differ in numbers alone and that hold the same folders."""
    folders = list(tree.folders.values())
    if len({re.sub(r"\d+", "", name) for name in tree.folders}) > 1:
        return []
    shared = set.intersection(*(set(folder.folders) for folder in folders)) if folders else set()
    return folders if len(folders) > 1 and len(shared) > 1 else []


def _refuse_equal_parts(tree: Folder) -> None:
    """Raise `UsageError` if all folders hold mostly the same folders and nothing else.

    They may be classes, by day or camera, or sources that have the same classes.
    """
    folders = [child for child in tree.folders.values() if not child.is_empty]
    inner = [{n for n, child in f.folders.items() if not child.is_empty} for f in folders]
    shared = set.intersection(*inner) if len(folders) > 1 else set()
    if len(shared) < 2 or 2 * len(shared) < len(set.union(*inner)):
        return
    if any(folder.photographs for folder in folders) or _splits_in(folders[0]):
        return
    raise UsageError(
        f"{tree.path}: {_quoted(folder.path.name for folder in folders[:3])} hold the same "
        f"folders ({', '.join(sorted(shared)[:3])}); which are the classes? Put the class "
        "folders, and nothing else, into one folder named train"
    )


def _splits_in(folder: Folder) -> set[str]:
    names = (name for name, child in folder.folders.items() if not child.is_empty)
    return {split for split in map(split_of, names) if split}


def _words_of_splits(name: str) -> bool:
    if any(_SPLIT_WORD.fullmatch(word) for word in _WORD.findall(name)):
        return True
    return not _FOREIGN.isdisjoint(re.findall(r"[^\W\d_]+", _folded(name)))


def _quoted(names: Iterable[str]) -> str:
    return " and ".join(repr(name) for name in names)


def _by_class(folder: Folder) -> Classes:
    return {name: list(child.everything()) for name, child in sorted(folder.folders.items())}


def common_labels(top: Path, found: Mapping[str, Classes], account: Account) -> tuple[str, ...]:
    """Return the class names of all splits; `account` tells what else the folder holds.

    Raises:
      UsageError: no photographs, one class only, classes that differ between splits, or a name
        that cannot be stored.
    """
    if not any(paths for by_class in found.values() for paths in by_class.values()):
        why = f"; {account.sentence()}" if account.left_out else ""
        raise UsageError(
            f"--data_dir {top}: no photographs ({', '.join(suffixes())}) in class folders "
            f"(DATA_DIR/CLASS/photo.jpg or DATA_DIR/train/CLASS/photo.jpg){why}"
        )
    labels = tuple(found["train"])
    for split, by_class in found.items():
        different = set(labels) ^ set(by_class)
        if different:
            label = min(different)
            looks = _looks(label)
            same = [o for o in (*labels, *by_class) if o != label and looks & _looks(o)]
            alike = f" ({label!a} and {same[0]!a} look alike)" if same else ""
            raise UsageError(
                f"{top}: class {label!r} is not in both train and {split}{alike}; "
                "every split needs the same class folders"
            )
    if len(labels) < 2:
        raise UsageError(
            f"--data_dir {top}: only one class ({labels[0]!r}); two or more are needed"
        )
    _check_names(top, labels)
    return labels


def _check_names(top: Path, labels: Sequence[str]) -> None:
    """Raise `UsageError` for a class name that labels.txt cannot hold, or two that look alike."""
    looks: dict[str, str] = {}
    for label in labels:
        if not _looks(label) or any(
            unicodedata.category(letter) in UNSTORABLE
            or unicodedata.bidirectional(letter) in _REORDERING
            for letter in label
        ):
            raise UsageError(
                f"{top}: class folder '{shown(label)}': its name holds a line break, a control "
                "character, bytes that are not UTF-8, or nothing to be seen; rename the folder"
            )
        for look in _looks(label):
            other = looks.setdefault(look, label)
            if other != label:
                raise UsageError(
                    f"{top}: class folders {other!a} and {label!a} look alike; rename one"
                )


def _looks(label: str) -> set[str]:
    """Return texts of which names that look alike share one; none for a name without a mark.

    Small and capital letters are alike, and letters of other alphabets that are drawn the same,
    but for names of one letter, as handwriting has them.
    """
    seen = (letter for letter in label if unicodedata.category(letter) != "Cf")  # has no width
    text = unicodedata.normalize("NFKC", _UNSEEN.sub("", "".join(seen)))
    text = " ".join(text.split()).strip(" .")
    if len(text) < 2:
        return {text} - {""}
    # As drawn, and in small letters: a capital may look like another letter than its small one.
    drawn = (unicodedata.normalize("NFKD", form) for form in (text, text.casefold()))
    return {form.translate(_TAKEN_FOR).casefold() for form in drawn}
