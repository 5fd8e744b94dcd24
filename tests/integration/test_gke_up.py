"""Clusters of provider gke on the stand-in for Google: made, adopted, waited for, changed, replaced and refused.

The API server of these clusters is an address where nobody listens: a run is over once the step "cluster" is done.
"""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/peers/google"))
from kube import Kube  # noqa: E402  pylint: disable=wrong-import-position
from client import Google  # noqa: E402  pylint: disable=wrong-import-position

PRESTOCTL = ROOT / "build" / os.environ.get("VARIANT", "debug") / "prestoctl"
PROJECT = "demo-proj"


@pytest.fixture(scope="module", name="google")
def _google(tmp_path_factory):
    with Google(tmp_path_factory.mktemp("google"), scale=1000) as google:
        yield google


class Env:
    """One environment in a folder of its own, and a Google that is empty when it begins."""

    def __init__(self, google, folder, **gke):
        self.google, self.folder, self.file, self.name = google, folder, folder / "gke.yaml", "demo"
        google.reset()
        google.control("DELETE", "faults")
        google.control("DELETE", "plans")
        self.gke = {"project": PROJECT, "location": "us-central1-a",
                    "nodePools": [{"name": "workers", "machineType": "e2-standard-4", "count": 2}], **gke}
        self.env = {**google.env(folder, "sa"), "XDG_STATE_HOME": str(folder / "state"),
                    "PRESTOCTL_SHORTEST_POLL": "20ms"}

    def write(self):
        self.file.write_text(yaml.safe_dump({
            "apiVersion": "prestoctl/v1", "kind": "Environment", "name": self.name,
            "cluster": {"provider": "gke", "gke": self.gke},
            "operator": {"image": "registry.example/presto-operator:1"},
            "presto": {"metadata": {"name": "example"}, "spec": {
                "coordinator": {"cpuRequest": "1", "memoryAllocation": "2Gi"},
                "worker": {"count": 1, "cpuRequest": "1", "memoryAllocation": "2Gi"}}}}), "utf-8")

    def ctl(self, *args, timeout=60):
        return subprocess.run([PRESTOCTL, *args], env=self.env, capture_output=True, text=True, timeout=timeout,
                              check=False)

    def up(self, *args):
        """(exit code, events): until the cluster is done with, or something failed. 0: the cluster is there."""
        self.write()
        events = []
        with subprocess.Popen([PRESTOCTL, "up", "-f", self.file, "--output", "json", *args], env=self.env, text=True,
                              stderr=subprocess.PIPE, stdout=subprocess.PIPE) as run:
            done = False
            for line in run.stderr:
                if not line.startswith("{"):
                    events.append({"text": line})
                    continue
                events.append(json.loads(line))
                if (events[-1].get("name"), events[-1].get("state")) == ("cluster", "done"):
                    done = True
                    run.send_signal(signal.SIGINT)
            run.wait(60)
        return (0 if done else run.returncode), events

    def clusters(self):
        return self.google.ledger()["projects"][PROJECT]["clusters"] if PROJECT in self.google.ledger().get(
            "projects", {}) else []

    def interrupted(self, message):
        """(exit code, events) of an up that gets a Ctrl-C when it says this."""
        self.write()
        events = []
        with subprocess.Popen([PRESTOCTL, "up", "-f", self.file, "--output", "json"], env=self.env, text=True,
                              stderr=subprocess.PIPE) as run:
            for line in run.stderr:
                events.append(json.loads(line))
                if message in events[-1].get("message", ""):
                    run.send_signal(signal.SIGINT)
        return run.returncode, events

    def state(self):
        return json.loads((self.folder / "state/prestoctl" / self.name / "state.json").read_text())


@pytest.fixture(name="env")
def _env(google, tmp_path):
    return Env(google, tmp_path)


def error(events):
    [one] = [e for e in events if e.get("event") == "error"]
    return one


def live(env):
    """The clusters that there are, as Google shows them."""
    status, reply = env.google.http("GET", f"/v1/projects/{PROJECT}/locations/-/clusters", token=env.google.token)
    assert status == 200
    return reply.get("clusters", [])


def creates(env):
    return [e for e in env.google.requests() if e["method"] == "POST" and e["path"].endswith("/clusters")]


def test_made_once_and_a_second_up_writes_nothing(env):
    code, events = env.up()
    assert code == 0, events
    [cluster] = live(env)
    labels = cluster["resourceLabels"]
    assert labels["prestoctl-environment"] == "demo" and re.fullmatch("[0-9a-f]{16}", labels["prestoctl-run"])
    assert env.state()["gke"]["run"] == labels["prestoctl-run"] and env.state()["made"]["cluster"]
    before = len(env.google.requests())
    code, events = env.up()
    assert code == 0, events
    assert [e for e in env.google.requests()[before:] if e["write"]] == []
    assert len(live(env)) == 1


def test_the_intent_is_on_disk_before_the_first_write(env):
    env.google.fault(match={"method": "POST", "path": "*/clusters"}, hang=20)
    env.write()
    with subprocess.Popen([PRESTOCTL, "up", "-f", env.file], env=env.env, stderr=subprocess.DEVNULL) as run:
        while not (env.folder / "state/prestoctl/demo/state.json").exists() or "gke" not in env.state():
            assert run.poll() is None
        run.kill()
    assert env.state()["gke"]["location"] == "us-central1-a" and env.state()["gke"]["run"]


@pytest.mark.parametrize("preset", ["lost-reply", "reset-after", "half"])
def test_a_lost_reply_leads_to_the_same_cluster(env, preset):
    env.google.fault(preset=preset, match={"method": "POST", "path": "*/clusters"})
    code, events = env.up()
    assert code == 0, events
    assert len(live(env)) == 1


@pytest.mark.parametrize("preset", ["reset-before", "unavailable", "rate", "unauthenticated", "bad-gateway"])
def test_what_had_no_effect_is_asked_again(env, preset):
    env.google.fault(preset=preset, match={"method": "POST", "path": "*/clusters"})
    code, events = env.up()
    assert code == 0, events
    assert len(live(env)) == 1


def test_no_machines_in_a_zone_leads_to_the_next_one(env):
    env.gke["location"] = ["us-central1-a", "us-central1-b"]
    env.google.plan(match={"type": "CREATE_CLUSTER"}, outcome="stockout")
    code, events = env.up()
    assert code == 0, events
    [cluster] = live(env)
    assert cluster["location"] == "us-central1-b" == env.state()["gke"]["location"]
    assert any("us-central1-a has no such machines" in e.get("message", "") for e in events)


def test_no_machines_anywhere_is_a_lack_of_capacity_and_leaves_nothing(env):
    env.gke["location"] = ["us-central1-a", "us-central1-b"]
    env.google.plan(match={"type": "CREATE_CLUSTER"}, outcome="stockout", times=5)
    code, events = env.up()
    assert code == 5 and "us-central1-a, us-central1-b" in error(events)["message"]
    assert live(env) == []


@pytest.mark.parametrize("outcome", ["quota", "quota-error-only", "quota-conditions-only"])
def test_a_quota_that_the_operation_ran_into_is_told_and_not_tried_again(env, outcome):
    env.google.plan(match={"type": "CREATE_CLUSTER"}, outcome=outcome, times=5)
    code, events = env.up()
    assert code == 5 and "IN_USE_ADDRESSES" in error(events)["message"], error(events)
    assert len(creates(env)) == 1


def test_a_quota_in_the_reply_ends_it_with_the_table(env):
    env.google.fault(preset="quota", match={"method": "POST", "path": "*/clusters"}, times=0)
    code, events = env.up()
    assert code == 5 and "CPUS" in error(events)["message"]
    assert len(creates(env)) == 1 and live(env) == []


def test_a_failed_cluster_stays_to_be_looked_at_and_the_next_run_replaces_it(env):
    env.google.plan(match={"type": "CREATE_CLUSTER"}, outcome="internal")
    code, events = env.up()
    assert code == 1 and "Internal error" in error(events)["message"]
    assert "still in us-central1-a" in error(events)["detail"] and "replaces" in error(events)["hint"]
    assert [c["status"] for c in live(env)] == ["ERROR"]
    code, events = env.up()
    assert code == 0, events
    assert [c["status"] for c in live(env)] in (["RUNNING"], ["RECONCILING"])


def test_a_failed_cluster_that_is_protected_is_not_replaced(env):
    env.gke["deletionProtection"] = True
    env.google.plan(match={"type": "CREATE_CLUSTER"}, outcome="internal")
    assert env.up()[0] == 1
    code, events = env.up()
    assert code == 1 and "protected" in error(events)["message"] and "--unprotect" in error(events)["hint"]
    assert [c["status"] for c in live(env)] == ["ERROR"] and len(creates(env)) == 1


def test_an_operation_of_a_killed_run_whose_cluster_is_gone_is_history(env):
    env.google.plan(match={"type": "CREATE_CLUSTER"}, outcome="internal")
    assert env.up()[0] == 1
    state = env.state()
    [op] = env.google.http("GET", f"/v1/projects/{PROJECT}/locations/us-central1-a/operations",
                           token=env.google.token)[1]["operations"]
    env.google.http("DELETE", f"/v1/projects/{PROJECT}/locations/us-central1-a/clusters/demo", token=env.google.token)
    while live(env):
        pass
    state["gke"]["op"] = op["name"]
    (env.folder / "state/prestoctl/demo/state.json").write_text(json.dumps(state))
    code, events = env.up()
    assert code == 0 and len(live(env)) == 1, events


def test_a_cluster_of_somebody_else_is_not_touched(env):
    env.google.http("POST", f"/v1/projects/{PROJECT}/locations/us-central1-a/clusters", token=env.google.token, body={
        "parent": f"projects/{PROJECT}/locations/us-central1-a", "cluster": {
            "name": "demo", "nodePools": [{"name": "p", "initialNodeCount": 1}]}})
    since = len(env.google.requests())
    code, events = env.up("--adopt")
    assert code == 1 and "not of this environment" in error(events)["message"] and "name" in error(events)["hint"]
    assert [e for e in env.google.requests()[since:] if e["write"]] == []


def test_a_lost_state_wants_to_be_told_that_the_cluster_is_ours(env):
    assert env.up()[0] == 0
    run = live(env)[0]["resourceLabels"]["prestoctl-run"]
    (env.folder / "state/prestoctl/demo/state.json").unlink()
    since = len(env.google.requests())
    code, events = env.up()
    assert code == 1 and "--adopt" in error(events)["hint"]
    assert not (env.folder / "state/prestoctl/demo/state.json").exists()        # or down would say that it is gone
    code, events = env.up("--adopt")
    assert code == 0 and env.state()["gke"]["run"] == run, events
    assert [e for e in env.google.requests()[since:] if e["write"]] == []


def test_a_cluster_whose_time_is_over_is_warned_of(env):
    env.gke["ttl"] = "1h"
    assert env.up()[0] == 0
    one = live(env)[0]
    env.google.http("POST", f"/v1/projects/{PROJECT}/locations/us-central1-a/clusters/demo:setResourceLabels", {
        "resourceLabels": {**one["resourceLabels"], "prestoctl-expires-at": "1700000000"},
        "labelFingerprint": one["labelFingerprint"]}, token=env.google.token)
    while live(env)[0]["resourceLabels"]["prestoctl-expires-at"] != "1700000000":
        pass
    code, events = env.up()
    assert code == 0 and [e for e in events if "the time of cluster demo is over" in str(e)], events
    env.gke["ttl"] = "2h"
    code, events = env.up()
    assert code == 0 and not [e for e in events if "is over" in str(e)], events


def test_a_label_by_hand_makes_no_cluster_ours(env):
    env.google.http("POST", f"/v1/projects/{PROJECT}/locations/us-central1-a/clusters", token=env.google.token, body={
        "parent": f"projects/{PROJECT}/locations/us-central1-a", "cluster": {
            "name": "demo", "resourceLabels": {"prestoctl-environment": "demo"},
            "nodePools": [{"name": "precious", "initialNodeCount": 1}]}})
    since = len(env.google.requests())
    code, events = env.up("--adopt")
    assert code == 1 and "not of this environment" in error(events)["message"]
    assert [e for e in env.google.requests()[since:] if e["write"]] == []


def test_a_reply_that_says_nothing_is_a_lost_one(env):
    env.google.fault(match={"method": "POST", "path": "*/clusters"}, status=200, body={}, when="after")
    code, events = env.up()
    assert code == 0 and len(live(env)) == 1, events


def test_interrupted_before_the_reply_it_says_that_there_may_be_a_cluster(env):
    env.google.fault(match={"method": "POST", "path": "*/clusters"}, hang=20)
    code, events = env.interrupted("asking Google for cluster")
    assert code == 130 and "perhaps asked for" in error(events)["detail"], events


def test_a_cluster_that_is_being_deleted_is_waited_for_and_made_again(env):
    assert env.up()[0] == 0
    first = live(env)[0]["id"]
    env.google.http("DELETE", f"/v1/projects/{PROJECT}/locations/us-central1-a/clusters/demo", token=env.google.token)
    code, events = env.up()
    assert code == 0, events
    [cluster] = live(env)
    assert cluster["id"] != first


def test_another_operation_is_waited_for(env):
    assert env.up()[0] == 0
    env.google.http("POST", f"/v1/projects/{PROJECT}/locations/us-central1-a/clusters/demo/nodePools",
                    token=env.google.token, body={
                        "parent": f"projects/{PROJECT}/locations/us-central1-a/clusters/demo",
                        "nodePool": {"name": "other", "initialNodeCount": 1}})
    env.gke["nodePools"][0]["count"] = 3
    code, events = env.up()
    assert code == 0, events
    pools = {p["name"]: p for p in live(env)[0]["nodePools"]}
    assert pools["workers"]["initialNodeCount"] == 3


def test_a_pool_that_grows_is_one_write(env):
    assert env.up()[0] == 0
    env.gke["nodePools"][0]["count"] = 4
    since = len(env.google.requests())
    code, events = env.up()
    assert code == 0, events
    writes = [e["path"] for e in env.google.requests()[since:] if e["write"]]
    assert len(writes) == 1 and writes[0].endswith(":setSize")


def test_a_plan_shows_the_very_body_that_up_sends(env):
    env.write()
    done = env.ctl("plan", "-f", env.file, "--output", "json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    [request] = plan["cluster"]["requests"]
    assert env.google.writes() == [] and request["method"] == "POST"
    code, events = env.up()
    assert code == 0, events
    [sent] = creates(env)
    assert request["url"].endswith(sent["path"])
    want, body = request["body"]["cluster"], sent["body"]["cluster"]
    body["resourceLabels"].pop("prestoctl-run")
    assert want == body


def test_what_cannot_be_changed_in_place_is_refused_with_its_reason(env):
    assert env.up()[0] == 0
    since = len(env.google.requests())
    env.gke["nodePools"][0]["machineType"] = "n2-standard-8"
    env.gke["dataplane"] = "calico"
    code, events = env.up()
    assert code == 1 and live(env), events
    text = error(events)["message"] + error(events).get("detail", "")
    assert "machineType" in text and "dataplane" in text
    assert [e for e in env.google.requests()[since:] if e["write"]] == []


def test_a_cluster_is_never_moved(env):
    assert env.up()[0] == 0
    env.gke["location"] = "us-central1-b"
    code, events = env.up()
    assert code == 1 and "fixed when a cluster is made" in error(events)["message"]
    assert len(live(env)) == 1


def test_a_place_that_only_a_variable_names_is_for_new_clusters(env):
    del env.gke["location"]
    env.env["CLOUDSDK_COMPUTE_ZONE"] = "us-central1-a"
    assert env.up()[0] == 0
    env.env["CLOUDSDK_COMPUTE_ZONE"] = "us-central1-b"
    code, events = env.up()
    assert code == 0 and [c["location"] for c in live(env)] == ["us-central1-a"], events


def test_a_zone_that_does_not_answer_may_have_the_cluster(env):
    env.google.fault(match={"method": "GET", "path": "*/locations/-/clusters"}, status=200,
                     body={"missingZones": ["us-central1-a"]})
    code, events = env.up()
    assert code == 1 and "us-central1-a does not say" in error(events)["message"] and creates(env) == []


def test_an_operation_that_cannot_be_seen_at_first_is_waited_for(env):
    env.google.plan(match={"type": "CREATE_CLUSTER"}, hide=4)
    code, events = env.up()
    assert code == 0 and len(creates(env)) == 1, events


def test_a_place_where_nothing_was_made_can_be_changed(env):
    env.google.fault(preset="quota", match={"method": "POST", "path": "*/clusters"})
    assert env.up()[0] == 5
    env.gke["location"] = ["us-central1-b", "us-central1-c"]
    env.google.plan(match={"type": "CREATE_CLUSTER"}, outcome="stockout", times=2)
    env.write()
    [request] = json.loads(env.ctl("plan", "-f", env.file, "--output", "json").stdout)["cluster"]["requests"]
    assert "/us-central1-b/" in request["url"]
    code, events = env.up()
    assert code == 5 and "us-central1-b, us-central1-c" in error(events)["message"], error(events)
    env.gke["location"] = "us-central1-a"
    assert env.up()[0] == 0
    assert [c["location"] for c in live(env)] == ["us-central1-a"]


def test_commands_without_the_file_reach_it_as_the_file_said_last(env):
    env.gke["credentials"] = env.env["GOOGLE_APPLICATION_CREDENTIALS"]
    assert env.up()[0] == 0
    assert env.state()["gke"]["endpoint"] == "public" and env.state()["gke"]["credentials"]
    del env.gke["credentials"]
    env.gke["endpoint"] = "dns"
    assert env.up()[0] == 0
    assert env.state()["gke"]["endpoint"] == "dns" and "credentials" not in env.state()["gke"]
    assert env.state()["gke"]["run"] == live(env)[0]["resourceLabels"]["prestoctl-run"]


@pytest.mark.parametrize("preset", ["lost-reply", "reset-after", "half", "reset-before", "unavailable"])
def test_a_pool_whose_reply_got_lost_is_made_once_and_waited_for(env, preset):
    assert env.up()[0] == 0
    env.gke["nodePools"].append({"name": "more", "machineType": "e2-standard-4", "count": 1})
    env.google.fault(preset=preset, match={"method": "POST", "path": "*/nodePools"})
    env.google.plan(match={"type": "CREATE_NODE_POOL"}, seconds=1500)
    code, events = env.up()
    assert code == 0, events
    assert {p["name"]: p["status"] for p in live(env)[0]["nodePools"]} == {"workers": "RUNNING", "more": "RUNNING"}


def test_a_pool_that_failed_is_told_in_each_run(env):
    assert env.up()[0] == 0
    env.gke["nodePools"].append({"name": "more", "machineType": "e2-standard-4", "count": 1})
    env.google.plan(match={"type": "CREATE_NODE_POOL"}, outcome="stockout")
    code, events = env.up()
    assert code == 5 and "does not have enough resources" in error(events)["message"]
    code, events = env.up()
    assert code == 0
    assert any("node pool more is in ERROR" in e["message"] for e in events if e.get("event") == "warning"), events


def test_who_may_use_a_cluster_but_grant_nothing_in_it_is_told_the_role(env):
    kube = Kube(env.google)
    try:
        kube.objects[""] = {"version": {"gitVersion": "v1.33.1-gke.1"}}
        kube.objects["/apis/authorization.k8s.io/v1"] = {"selfsubjectaccessreviews": {"status": {"allowed": False}}}
        env.write()
        done = env.ctl("up", "-f", env.file)
    finally:
        kube.close()
        env.google.configure(backends=[])
    assert done.returncode == 4 and "roles/container.admin" in done.stderr, done.stderr


def test_a_project_that_only_a_variable_names_is_in_the_body_too(env):
    del env.gke["project"]
    env.gke["workloadIdentity"] = True
    assert env.up()[0] == 0
    [cluster] = live(env)
    assert cluster["workloadIdentityConfig"]["workloadPool"] == f"{PROJECT}.svc.id.goog"
    since = len(env.google.requests())
    assert env.up()[0] == 0 and [e for e in env.google.requests()[since:] if e["write"]] == []


def test_a_time_out_says_what_google_was_busy_with(env):
    env.google.plan(match={"type": "CREATE_CLUSTER"}, stuck=True)
    code, events = env.up("--timeout", "1s")
    assert code == 3, events
    text = error(events)["message"] + error(events).get("detail", "")
    assert "CREATE_CLUSTER" in text and "operation-" in text


def test_an_interrupted_run_says_what_exists_and_how_to_go_on(env):
    env.google.plan(match={"type": "CREATE_CLUSTER"}, stuck=True)
    code, events = env.interrupted("create cluster")
    told = error(events)
    assert code == 130 and "cluster demo in us-central1-a" in told["detail"], told
    assert "prestoctl down demo" in told["hint"]


def test_no_secret_is_said_or_kept(env):
    env.google.fault(preset="unauthenticated", match={"path": "*/operations/*"})
    code, events = env.up("--verbose")
    assert code == 0
    kept = [p.read_text(errors="replace") for p in (env.folder / "state").rglob("*") if p.is_file()]
    assert env.google.secrets_in(json.dumps(events) + "".join(kept)) == []
