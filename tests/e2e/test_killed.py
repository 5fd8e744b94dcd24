"""`up` and `down` with SIGKILL at every step: run again, they go on; and at the end nothing is left on the machine."""

import json
import time

import pytest

from stage import ENV_LABEL

# Step, and how many seconds into it: the long ones are also hit in their middle.
KILLS = [("cluster", 0), ("cluster", 1), ("cluster", 3), ("api", 0), ("rights", 0), ("room", 0), ("images", 0),
         ("images", 2), ("namespace", 0), ("crd", 0), ("service-account", 0), ("role", 0), ("role-binding", 0),
         ("operator", 0), ("crd-established", 0), ("presto", 0), ("operator-ready", 0), ("operator-ready", 1),
         ("presto-ready", 0), ("presto-ready", 2), ("sql", 0)]


@pytest.fixture(scope="module", name="nothing")
def _nothing(stage):
    stage.devcluster("down")
    assert stage.traces() == []
    stage.write_file(stage.environment(worker={"count": 1}))
    return stage


def test_up_killed_at_every_step_goes_on_when_run_again(nothing):
    known = nothing.state / "prestoctl" / nothing.name / "state.json"
    for step, delay in KILLS:
        running = nothing.start("up", "-f", nothing.file, "--output", "json")
        assert running.step(step), f"up ended before {step}: {running.text()}"
        time.sleep(delay)
        assert running.kill(), f"up ended during {step}: {running.text()}"
        assert json.loads(known.read_text(encoding="utf-8"))["name"] == nothing.name
    done = nothing.up("--output", "json")
    assert json.loads(done.out)["answer"] == "25"
    nothing.settle()
    prestos = nothing.kube.get("/apis/starburstdata.com/v1/prestos")["items"]
    assert [p["metadata"]["labels"][ENV_LABEL] for p in prestos] == [nothing.name]
    children = nothing.children(nothing.instance())
    assert [c.split("/")[0] for c in children] == ["configmaps", "configmaps", "deployments", "deployments", "pods",
                                                   "pods", "services"]
    assert [n["metadata"]["name"] for n in nothing.kube.get("/api/v1/nodes")["items"]] == ["node0", "node1"]


def test_after_all_that_up_has_nothing_to_write(nothing):
    before = nothing.audit_end()
    nothing.up()
    assert nothing.writes(before, "prestoctl") == []
    assert nothing.writes(before, "presto-operator") == []


def test_down_killed_half_way_takes_the_rest_away_when_run_again(nothing):
    for step in ("presto", "cluster"):
        running = nothing.start("down", nothing.name, "--output", "json")
        assert running.step(step)
        assert running.kill()
    nothing.ctl("down", nothing.name)
    assert nothing.traces() == []


def test_down_of_what_is_not_there_says_so(nothing):
    done = nothing.ctl("down", nothing.name, status=2)
    assert nothing.name in done.err
