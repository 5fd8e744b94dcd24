"""What all Python tests share: the closing line that scripts/check adds up, and the folder of the programs."""
import os
import pathlib
import signal

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / os.environ.get("VARIANT", "debug")

# A shell's background job ignores it, and so would every program that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter):
    stats = terminalreporter.stats
    passed = len(stats.get("passed", [])) + len(stats.get("xfailed", []))
    failed = sum(len(stats.get(kind, [])) for kind in ("failed", "error", "xpassed"))
    skipped = len(stats.get("skipped", []))
    terminalreporter.write_line(f"{passed} passed, {failed} failed, {skipped} skipped")
