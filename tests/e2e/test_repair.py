"""A cluster that is hurt comes back as its resource describes it."""

import json

from stage import until

NATION = "select count(*) from tpch.tiny.nation"


def config(presto, prefix):
    name = f"{prefix}-{presto.instance()}"
    return presto.kube.get(f"/api/v1/namespaces/{presto.ns}/configmaps/{name}") or {}


def of_kind(presto, kind):
    return {o["metadata"]["name"]: o for o in presto.list(kind, f"instance={presto.instance()}")}


def is_new(o, old):
    return o["metadata"]["uid"] != old["metadata"]["uid"]


def is_ready(pod):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def test_a_killed_coordinator_comes_back_and_answers(presto):
    [(name, old)] = presto.pods("coordinator").items()
    workers = set(presto.pods("worker"))
    presto.kubectl("delete", "pod", name, "--grace-period=0", "--force", "--wait=false")
    new = until(lambda: [p for p in presto.pods("coordinator").values() if is_new(p, old) and is_ready(p)],
                what="another coordinator pod is ready")
    assert len(new) == 1
    presto.settle()
    assert set(presto.pods("worker")) == workers, "workers find the new coordinator by themselves"
    assert presto.value(NATION) == 25


def test_an_added_catalog_can_be_written_and_read(presto):
    presto.kubectl("patch", f"presto/{presto.presto}", "--type=merge", "-p",
                   json.dumps({"spec": {"additionalCatalogs": {"scratch": "connector.name=memory\n"}}}))
    until(lambda: "scratch.properties" in config(presto, "presto-catalog").get("data", {}), 30, "the catalog's file")
    presto.settle()
    until(lambda: ["scratch"] in presto.sql("show catalogs"), what="the catalog is known to the coordinator")
    presto.ctl("query", "--env", presto.name, "create table scratch.default.squares as "
               "select x, x * x as y from unnest(sequence(1, 100)) as t(x)")
    assert presto.sql("select count(*), sum(y) from scratch.default.squares") == [[100, 338350]]


def test_deleted_children_come_back(presto):
    pods = {**presto.pods("coordinator"), **presto.pods("worker")}
    before = {kind: of_kind(presto, kind) for kind in ("services", "configmaps")}
    names = [f"{kind[:-1]}/{name}" for kind, found in before.items() for name in found]
    assert len(names) == 3
    presto.kubectl("delete", *names, "--wait=false")

    def back():
        return all(of_kind(presto, kind).get(name, {}).get("metadata", {}).get("uid") not in (None, o["metadata"]["uid"])
                   for kind, found in before.items() for name, o in found.items())
    until(back, 30, "the Service and both ConfigMaps are new ones")
    for name, o in before["configmaps"].items():
        assert of_kind(presto, "configmaps")[name]["data"] == o["data"]
    until(lambda: presto.active_workers() == presto.asked(), what="the coordinator answers through the new Service")
    presto.settle()
    assert set({**presto.pods("coordinator"), **presto.pods("worker")}) == set(pods), "no pod has anything to do with it"


def test_a_child_edited_by_hand_is_set_right(presto):
    name = f"presto-config-{presto.instance()}"
    right = config(presto, "presto-config")["data"]
    key = next(k for k in right if k.endswith("jvm.config"))
    presto.kubectl("patch", "configmap", name, "--type=merge", "-p",
                   json.dumps({"data": {key: "-Xmx1m", "theirs": "x"}}))
    until(lambda: config(presto, "presto-config").get("data") == right, 30, "the ConfigMap is as it was")
    service = next(iter(of_kind(presto, "services")))
    presto.kubectl("patch", "service", service, "--type=json", "-p",
                   '[{"op": "replace", "path": "/spec/ports/0/targetPort", "value": 9}]')
    until(lambda: of_kind(presto, "services")[service]["spec"]["ports"][0]["targetPort"] == 8080, 30, "the port is right")
    presto.kubectl("label", "deployment", f"presto-worker-{presto.instance()}", "role-")
    until(lambda: of_kind(presto, "deployments")[f"presto-worker-{presto.instance()}"]["metadata"]["labels"].get("role")
          == "worker", 30, "the label is right")


def test_a_deleted_worker_deployment_comes_back_with_its_workers(presto):
    name, old = f"presto-worker-{presto.instance()}", presto.pods("worker")
    deployment = of_kind(presto, "deployments")[name]
    coordinator = set(presto.pods("coordinator"))
    presto.kubectl("delete", "deployment", name, "--wait=false")
    until(lambda: name in of_kind(presto, "deployments") and is_new(of_kind(presto, "deployments")[name], deployment),
          60, "a new Deployment")
    until(lambda: presto.pods("worker") and not set(presto.pods("worker")) & set(old) and
          all(map(is_ready, presto.pods("worker").values())), what="a new worker, and none of the old")
    presto.settle()
    assert set(presto.pods("coordinator")) == coordinator
    assert presto.value(NATION) == 25
