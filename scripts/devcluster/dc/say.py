"""What the user sees: progress, results and the one error type. Knows nothing of clusters."""

import contextlib
import json
import sys
import threading
import time


class Fail(Exception):
    """A failure to be told in one line: what happened, and the remedy."""

    def __init__(self, message, hint="", code=1):
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


USAGE, TIMED_OUT = 2, 3


class Reporter:
    """Progress as JSON lines on stdout, or as lines for people on stderr."""

    def __init__(self, as_json):
        self.as_json = as_json
        self.lock = threading.Lock()
        self.began = time.monotonic()

    def _json(self, **fields):
        with self.lock:
            sys.stdout.write(json.dumps(fields) + "\n")
            sys.stdout.flush()

    def _human(self, text):
        with self.lock:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def event(self, name, state, message, began):
        elapsed = int((time.monotonic() - began) * 1000)
        if self.as_json:
            self._json(event="step", name=name, state=state, message=message, elapsed_ms=elapsed)
        elif state == "done":
            self._human(f"  {name:<18} {message or 'done'} ({elapsed / 1000:.1f} s)")
        elif state == "failed":
            self._human(f"  {name:<18} FAILED: {message}")
        elif state == "running":
            self._human(f"  {name:<18} ... {message}")

    @contextlib.contextmanager
    def step(self, name, message=""):
        """One step of the work. The block may set .message of what it gets for the closing line."""
        began = time.monotonic()
        step = Step(self, name, began)
        self.event(name, "started", message, began)
        try:
            yield step
        except Fail as e:
            self.event(name, "failed", e.message, began)
            raise
        except OSError as e:
            self.event(name, "failed", str(e), began)
            raise
        self.event(name, "done", step.message, began)

    def warn(self, message):
        if self.as_json:
            self._json(event="warning", message=message)
        else:
            self._human(f"devcluster: warning: {message}")

    def result(self, human, **fields):
        """The outcome: for people the given text on stdout."""
        elapsed = int((time.monotonic() - self.began) * 1000)
        if self.as_json:
            self._json(event="result", elapsed_ms=elapsed, **fields)
        else:
            sys.stdout.write(human + "\n")
            sys.stdout.flush()

    def error(self, fail):
        if self.as_json:
            self._json(event="error", message=fail.message, hint=fail.hint, code=fail.code)
            return
        hint = f"; {fail.hint}" if fail.hint else ""
        self._human(f"devcluster: {fail.message}{hint}")


class Step:
    def __init__(self, reporter, name, began):
        self.reporter, self.name, self.began = reporter, name, began
        self.message = ""

    def running(self, message):
        self.reporter.event(self.name, "running", message, self.began)


class Deadline:
    """A point in time that every wait of one command shares."""

    def __init__(self, seconds):
        self.at = time.monotonic() + seconds
        self.seconds = seconds

    def left(self, most=None):
        left = max(0.05, self.at - time.monotonic())
        return left if most is None else min(left, most)

    def passed(self):
        return time.monotonic() >= self.at

    def wait(self, what, check, pause=0.05):
        """Polls check() until it returns None (done); a text says what is still missing."""
        while True:
            missing = check()
            if missing is None:
                return
            if self.passed():
                raise Fail(f"timed out after {self.seconds:.0f} s waiting for {what}: {missing}",
                           "look at `devcluster logs`, or give more time with --timeout", TIMED_OUT)
            time.sleep(pause)
