"""The one cluster of the end-to-end tests, the order in which they share it, and what is shown of it on a failure."""

import os
import signal
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from stage import BIN, IMAGES, Stage     # noqa: E402  pylint: disable=wrong-import-position
from gke_stage import GkeStage           # noqa: E402  pylint: disable=wrong-import-position
from dc.parts import Parts               # noqa: E402  pylint: disable=wrong-import-position,wrong-import-order

# One story: before there is a cluster; from nothing to SQL; a cluster that lives, changes and is hurt; the end;
# and once more from nothing, killed all the way. Then the same programs with Google's API in front.
ORDER = ["test_bad_input", "test_up", "test_query", "test_scale", "test_repair", "test_delete", "test_trouble",
         "test_down", "test_killed", "test_gke"]
durations = []


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: ORDER.index(item.module.__name__))
    if os.geteuid() != 0:
        why = "nodes need root"
    elif not Parts().complete():
        why = "the parts are not built: scripts/devcluster/devcluster build"
    else:
        return
    for item in items:
        item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session", name="stage")
def _stage():
    tmp = Path(f"/tmp/e2e-{os.getpid()}")      # short: sockets live below it
    tmp.mkdir(mode=0o700)
    # A test run that is told to end takes its cluster with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    argv = [str(IMAGES), "-q", "--bin-dir", str(BIN), "build", "pause", "presto", "presto-operator"]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    stage = Stage(tmp, f"e2e-{os.getpid()}")
    try:
        yield stage
    finally:
        left = stage.destroy()
        shutil.rmtree(tmp, ignore_errors=True)
    assert not left, "left behind:\n" + "\n".join(left)


@pytest.fixture(scope="session", name="gke")
def _gke(stage):
    """A cluster of its own, when the other is gone: it asks the stand-in for Google about tokens."""
    stage.destroy()
    tmp = stage.tmp / "g"
    tmp.mkdir(mode=0o700)
    gke = GkeStage(tmp, f"{stage.name}-g")
    try:
        gke.bring_up()
        yield gke
    finally:
        left = gke.destroy()
    assert not left, "left behind:\n" + "\n".join(left)


@pytest.fixture(autouse=True)
def _tidy(request, stage):
    yield
    stage.end_running()
    if "gke" in request.fixturenames:
        request.getfixturevalue("gke").end_running()


@pytest.fixture(name="presto")
def _presto(stage):
    """The stage with a Presto cluster that answers and is at rest, made when it is not there."""
    if not (stage.folder / "kubeconfig").exists() or not stage.kube.get(f"/api/v1/namespaces/{stage.ns}") \
            or not stage.resource():
        stage.up()
    stage.settle()
    return stage


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    stage = next((item.funcargs[n] for n in ("gke", "presto", "stage") if n in item.funcargs), None) \
        if hasattr(item, "funcargs") else None
    if report.failed and stage:
        try:
            report.sections.append(("the cluster", stage.report()))
        except Exception as e:          # pylint: disable=broad-exception-caught  # the test's own failure matters more
            report.sections.append(("the cluster", f"cannot be asked: {e}"))
    if report.when == "call" and call.duration > 1:
        durations.append((call.duration, item.nodeid.rsplit("/", 1)[-1]))


def pytest_terminal_summary(terminalreporter):
    for seconds, name in durations:
        terminalreporter.write_line(f"{seconds:6.1f} s  {name}")
    terminalreporter.write_line(f"at {time.strftime('%H:%M:%S')}, load {os.getloadavg()[0]:.1f}")
