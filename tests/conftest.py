"""What all Python tests share: the closing line that scripts/check adds up, and the folder of the programs."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / os.environ.get("VARIANT", "debug")


def pytest_terminal_summary(terminalreporter):
    stats = terminalreporter.stats
    passed = len(stats.get("passed", [])) + len(stats.get("xfailed", []))
    failed = sum(len(stats.get(kind, [])) for kind in ("failed", "error", "xpassed"))
    skipped = len(stats.get("skipped", []))
    terminalreporter.write_line(f"{passed} passed, {failed} failed, {skipped} skipped")
