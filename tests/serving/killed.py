"""Kills a call again and again, each time at another line: `python -m tests.serving.killed JOB`.

JOB is JSON: what to call, how often to kill it, the target with its old and new content. A process
of its own, without threads, so that it may fork: imports and compiled code are made once.
"""

import json
import os
import random
import signal
import sys
from pathlib import Path

from sqzkit.base import files
from sqzkit.coding import archive_files
from sqzkit.serving import fetching

CALLS = {"fetch": fetching.fetch, "unpack": archive_files.unpack}
OURS = {vars(module)["__file__"] for module in (files, archive_files, fetching)}


def run(call, moment, told):
    """Do the call; end this process at line number `moment` of it, else tell how many there are."""
    lines = 0

    def trace(frame, event, _):
        nonlocal lines
        if frame.f_code.co_filename not in OURS:
            return None
        lines += event == "line"
        if lines == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    CALLS[call["name"]](*call["arguments"], **call["given"])
    sys.settrace(None)
    told.write_text(str(lines))


def forked(call, moment, told):
    """Do the call in another process; return whether it was killed."""
    process = os.fork()
    if process == 0:
        try:
            run(call, moment, told)
        finally:
            os._exit(0)
    return os.waitpid(process, 0)[1] == signal.SIGKILL


def main(job):
    target, told = Path(job["target"]), Path(job["told"])
    old, new = Path(job["old"]).read_bytes(), Path(job["new"]).read_bytes()
    counts = {"kills": 0, "old": 0, "new": 0}
    generator = random.Random(job["seed"])
    target.write_bytes(old)
    assert not forked(job["call"], None, told)
    assert target.read_bytes() == new
    lines = int(told.read_text())
    target.write_bytes(old)
    while counts["kills"] < job["kills"]:
        # Each life begins with what those before left, until the new file is there.
        killed = forked(job["call"], generator.randint(1, lines), told)
        content = target.read_bytes()
        assert content in (old, new)
        if killed:
            counts["kills"] += 1
            counts["old" if content == old else "new"] += 1
        if content == new:
            target.write_bytes(old)
            for left in target.parent.glob("*.release.json"):
                left.unlink()
    forked(job["call"], None, told)
    left = sorted(path.name for path in target.parent.iterdir() if path != target)
    print(json.dumps({**counts, "lines": lines, "left": left}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
