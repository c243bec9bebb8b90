"""Run one program and write down what it used.

    python -I -S benchmarks/launch.py USAGE.json PROGRAM ARGUMENT...

A process of its own, because Linux counts the memory of the process that
starts a program as that program's peak: this one is small.
"""

import json
import os
import sys
import time


def main(usage_file: str, *command: str) -> None:
    """Run the command to its end."""
    started = time.monotonic()
    process = os.posix_spawnp(command[0], list(command), os.environ)
    _, status, usage = os.wait4(process, 0)
    found = {
        "seconds": time.monotonic() - started,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / 1024,
        "code": os.waitstatus_to_exitcode(status),
    }
    with open(usage_file, "w", encoding="utf-8") as stream:
        json.dump(found, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
