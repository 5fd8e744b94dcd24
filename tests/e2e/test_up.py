"""From nothing to SQL; doing it again changes nothing; and what could never work is refused before it is tried."""

import json
import stat

from stage import OPERATOR_POD, until

NATION = "select count(*) from tpch.tiny.nation"


def test_up_goes_from_nothing_to_an_answer(stage):
    done = stage.up("--output", "json")
    result = json.loads(done.out)
    assert result["answer"] == "25" and result["workers"] == 2
    steps = [(e["name"], e["state"]) for e in done.events if e["event"] == "step" and e["state"] != "running"]
    assert steps[0] == ("cluster", "started") and steps[-1] == ("sql", "done")
    assert not [s for s in steps if s[1] == "failed"]
    assert stage.active_workers() == 2
    assert stage.value(NATION) == 25


def test_what_up_remembers_is_for_its_user_only_and_holds_no_secret(presto):
    file = presto.state / "prestoctl" / presto.name / "state.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    known = json.loads(file.read_text(encoding="utf-8"))
    assert known["made"]["cluster"] is True
    assert not [word for word in ("key-data", "token", "PRIVATE KEY", "certificate") if word in file.read_text("utf-8")]


def test_a_second_up_writes_nothing(presto):
    pods = presto.list("pods")
    before = presto.audit_end()
    done = presto.up("--output", "json")
    assert json.loads(done.out)["answer"] == "25"
    seen = [e for e in presto.audit(before) if e.get("userAgent", "").startswith("prestoctl/")]
    assert len(seen) > 5, "the audit log must show that prestoctl has looked"
    assert presto.writes(before, "prestoctl") == []
    assert presto.writes(before, "presto-operator") == []
    assert {p["metadata"]["uid"] for p in presto.list("pods")} == {p["metadata"]["uid"] for p in pods}


def test_plan_foresees_no_change(presto):
    before = presto.audit_end()
    done = presto.ctl("plan", "-f", presto.file, "--output", "json")
    assert presto.writes(before, "prestoctl") == []
    assert '"change"' not in done.out and '"create"' not in done.out


def test_the_operator_runs_as_nobody_and_with_its_own_rights_only(presto):
    [pod] = presto.list("pods", OPERATOR_POD)
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    refused = [e for e in presto.audit() if e.get("user", {}).get("username", "").endswith(":presto-operator")
               and e.get("responseStatus", {}).get("code") == 403]
    assert not refused, f"the operator tried what its role does not allow: {refused[0]['requestURI']}"


def test_pods_that_no_node_could_ever_take_are_refused_with_the_numbers(presto):
    env = presto.environment(coordinator={"memoryAllocation": "900Gi"})
    env["name"], env["operator"]["namespace"] = "large", "large"
    file = presto.write_file(env, presto.tmp / "large.yaml")
    before = presto.audit_end()
    done = presto.up(file=file, status=5)
    assert "coordinator" in done.err and "900Gi" in done.err and "node0" in done.err
    assert presto.writes(before, "prestoctl") == []
    assert presto.kube.get("/api/v1/namespaces/large") is None
    presto.ctl("down", "-f", file)
    until(lambda: not (presto.state / "prestoctl" / "large").exists(), 1, "the refused environment is forgotten")
    assert presto.devcluster("status")["state"] == "running"
