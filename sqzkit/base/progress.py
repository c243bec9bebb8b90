"""Progress of work that takes longer than a few seconds, and the time left."""

import datetime
import sys
import time

_SILENT_SECONDS = 3.0
_BETWEEN_SECONDS = 2.0


def time_left(seconds: float, done: float, missing: float) -> str:
    """Return as h:mm:ss how long `missing` work takes if `done` work took `seconds`."""
    return str(datetime.timedelta(seconds=max(0, round(seconds / done * missing))))


class Progress:
    """Print `title: done of total, time left` to stderr now and then.

    Nothing is printed in the first seconds, so short work stays silent.
    """

    def __init__(self, title: str, total: int) -> None:
        self._title = title
        self._total = total
        self._start = time.monotonic()
        self._next = self._start + _SILENT_SECONDS
        self._shown = False

    def show(self, done: int) -> None:
        """Print that `done` of the total are done, if the last line is two seconds old."""
        now = time.monotonic()
        if now < self._next and not (done == self._total and self._shown):
            return
        self._next, self._shown = now + _BETWEEN_SECONDS, True
        left = time_left(now - self._start, max(done, 1), self._total - done)
        text = f"{self._title}: {done:,} of {self._total:,}, {left} left"
        print(text, file=sys.stderr, flush=True)
