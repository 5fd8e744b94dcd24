"""What can go wrong half-way: an image that is not there, an API server that goes away, an operator that is restarted."""

import json
import os
import signal

import yaml

from stage import ENV_LABEL, OPERATOR_POD, PATIENCE, until

SIBLINGS = 20


def test_an_image_that_does_not_exist_stops_up_by_name_and_leaves_the_rest(stage):
    if (stage.folder / "kubeconfig").exists() and stage.resource():
        remove(stage, [stage.presto])
    env = stage.environment(image={"tag": "nope"}, worker={"count": 1})
    file = stage.write_file(env, stage.tmp / "image.yaml")
    running = stage.start("up", "-f", file)
    until(lambda: waiting(stage) & {"ErrImagePull", "ImagePullBackOff"}, what="the kubelet says that it has no image")
    done = running.wait(30)
    assert done.status == 1, done.err
    pods = stage.list("pods", f"instance={stage.instance()}")
    assert len(pods) == 2, "the rest stays for looking"
    assert "localhost/presto:nope" in done.err
    assert any(p["metadata"]["name"] in done.err for p in pods)
    told = json.loads(stage.ctl("status", stage.name, "--output", "json", status=1).out)
    assert told["ready"] is False


def waiting(stage):
    """Why containers of Presto wait, in the kubelet's words."""
    return {c["state"].get("waiting", {}).get("reason") for role in ("coordinator", "worker")
            for p in stage.list("pods", f"role={role}") for c in p["status"].get("containerStatuses", [])}


def test_up_goes_on_with_the_corrected_file_although_the_api_server_dies_in_the_middle(stage):
    instance = stage.instance()
    file = stage.write_file(stage.environment(worker={"count": 1}), stage.tmp / "image.yaml")
    running = stage.start("up", "-f", file, "--output", "json")
    assert running.step("presto-ready")
    os.kill(server_pid(stage), signal.SIGKILL)
    until(lambda: any("again" in e.get("message", "") for e in running.events()), 60, "up says that it asks again")
    assert running.process.poll() is None
    stage.devcluster("up")
    done = running.wait(600)
    assert done.status == 0, done.err
    assert json.loads(done.out)["answer"] == "25"
    assert stage.instance() == instance
    stage.settle()


def server_pid(stage):
    return stage.devcluster("status", check=False)["components"]["kube-apiserver"]["pid"]


def test_an_api_server_that_stays_away_is_said_when_the_time_is_over(stage):
    known = stage.state / "prestoctl" / stage.name / "state.json"
    before = known.read_text(encoding="utf-8")
    pid = server_pid(stage)
    running = stage.start("up", "-f", stage.tmp / "image.yaml", "--output", "json", "--timeout", "20s")
    assert running.step("api")
    os.kill(pid, signal.SIGSTOP)
    try:
        done = running.wait(60)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.status == 3, done.err
    assert 15 <= done.seconds <= 40
    assert "API server" in done.err
    assert known.read_text(encoding="utf-8") == before
    stage.settle()
    stage.up(file=stage.tmp / "image.yaml")


def test_an_operator_that_is_restarted_in_the_middle_of_creating_makes_everything_once(stage):
    remove(stage, [stage.presto])
    names = [stage.presto] + [f"sibling{i}" for i in range(SIBLINGS)]
    before = stage.audit_end()
    [pod] = stage.list("pods", OPERATOR_POD)
    stage.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([wanted(stage, name) for name in names]))
    until(lambda: stage.writes(before, "presto-operator"), 30, "the operator has begun")
    stage.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force", "--wait=false")
    until(lambda: len({owner(o) for o in made(stage)}) == len(names) and len(made(stage)) == 5 * len(names), 120,
          "every cluster has its five children")
    [new] = stage.list("pods", OPERATOR_POD)
    assert new["metadata"]["uid"] != pod["metadata"]["uid"]
    assert len({(o["kind"], o["metadata"]["name"]) for o in made(stage)}) == 5 * len(names)
    for name in names:
        kinds = sorted(o["kind"] for o in made(stage) if owner(o) == name)
        assert kinds == ["ConfigMap", "ConfigMap", "Deployment", "Deployment", "Service"], name
    stage.settle()
    assert stage.value("select count(*) from tpch.tiny.nation") == 25
    remove(stage, names[1:])


def wanted(stage, name):
    """Siblings want a node that does not exist: their objects are made, and no JVM runs for them."""
    spec = stage.environment(worker={"count": 1})["presto"]["spec"]
    if name != stage.presto:
        for role in ("coordinator", "worker"):
            spec[role]["nodeSelector"] = {"nowhere": "yes"}
    return {"apiVersion": "starburstdata.com/v1", "kind": "Presto", "spec": spec,
            "metadata": {"name": name, "labels": {ENV_LABEL: stage.name}}}


def made(stage):
    return [dict(o, kind=kind) for kind, plural in (("ConfigMap", "configmaps"), ("Service", "services"),
                                                    ("Deployment", "deployments"))
            for o in stage.list(plural, "app.kubernetes.io/managed-by=presto-operator")]


def owner(o):
    return o["metadata"]["ownerReferences"][0]["name"]


def remove(stage, names):
    instances = [stage.resource(name)["status"]["name"] for name in names]
    stage.kubectl("delete", "presto", *names, "--wait=false")
    until(lambda: not any(stage.children(i) for i in instances), PATIENCE, "all children are gone")
