"""Run folders for a comparison: copied."""

import shutil

from sqzkit.runs.folder import RunFolder

RECORDS = ("preprocessing", "data", "flags", "layers")


def copy_run(source: RunFolder, target: RunFolder, stages: tuple[str, ...]) -> RunFolder:
    """Copy a run as it was after `stages`, unless it is there; return the copy.

    It appears as a whole: a killed copy leaves nothing that looks like a run.
    """
    if target.spec_path.exists():
        return target
    aside = RunFolder(target.path.with_name(f".{target.path.name}"))
    shutil.rmtree(aside.path, ignore_errors=True)
    aside.path.mkdir(parents=True)
    for name in RECORDS:
        record = source.read_record(name)
        if record is not None:
            aside.write_record(name, record)
    aside.write_labels(source.labels)
    kept = [entry for entry in source.finished_stages() if entry["stage"] in stages]
    for entry in kept:
        for path in (source.weights_path(entry["stage"]), source.stage_spec_path(entry["stage"])):
            if path.exists():
                shutil.copy2(path, aside.path / path.name)
    aside.write_record("stages", kept)
    aside.write_spec(source.read_spec())
    shutil.rmtree(target.path, ignore_errors=True)
    aside.path.rename(target.path)
    return target
