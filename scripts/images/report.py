"""Progress on stderr, and the one kind of error that a user is meant to see."""

import errno
import sys
import threading
import time

START = time.monotonic()
QUIET = False


class BuildError(Exception):
    """What went wrong and what to do about it, in one line."""

    def __init__(self, message, hint=""):
        super().__init__(message)
        self.hint = hint

    def __str__(self):
        text = " ".join(super().__str__().split())
        return f"{text}; {self.hint}" if self.hint else text


def from_oserror(error, where):
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BuildError(f"{where}: disk full", "free some space there, or set PRESTOCTL_CACHE "
                          "to a folder on a larger disk")
    inside = str(error.filename or "")
    if inside.startswith(where) or where.startswith(inside + "/"):
        return BuildError(f"{error.filename or where}: {error.strerror}",
                          "set PRESTOCTL_CACHE to a folder that you may write")
    return BuildError(f"{error.filename or where}: {error.strerror}")


def say(image, text):
    if not QUIET:
        print(f"[{time.monotonic() - START:6.1f}s] {image}: {text}", file=sys.stderr, flush=True)


class Step:
    """A step that may take long: says what it does, then every five seconds how far it is."""

    def __init__(self, image, what, size=None):
        self.image, self.what, self.size = image, what, size
        self.done = threading.Event()

    def _watch(self):
        while not self.done.wait(5):
            say(self.image, f"{self.what} ... {self._megabytes()}{self._seconds():.0f} s")

    def _megabytes(self):
        try:
            return f"{self.size() / 1e6:.0f} MB, " if self.size else ""
        except OSError:  # the file may be renamed under our hands
            return ""

    def _seconds(self):
        return time.monotonic() - self.began

    def __enter__(self):
        self.began = time.monotonic()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self.done.set()
        self.thread.join()
        if kind is None:
            say(self.image, f"{self.what}: {self._megabytes()}{self._seconds():.1f} s")
