"""Deleting the resource deletes the cluster, all of it, and nothing but it."""

from stage import OPERATOR_POD, until


def test_deleting_the_resource_leaves_nothing_of_it(presto):
    instance = presto.instance()
    assert len(presto.children(instance)) >= 7
    others = {o["metadata"]["name"] for o in presto.list("configmaps")} - \
        {o["metadata"]["name"] for o in presto.list("configmaps", f"instance={instance}")}
    presto.kubectl("delete", "presto", presto.presto, "--wait=false")
    until(lambda: not presto.children(instance), 180, "no child and no pod is left")
    assert presto.resource() is None
    assert presto.kubectl("get", "replicasets", "-o", "name").split() == [
        name for name in presto.kubectl("get", "replicasets", "-o", "name").split() if "presto-operator" in name]
    assert {o["metadata"]["name"] for o in presto.list("configmaps")} == others
    [pod] = presto.list("pods", OPERATOR_POD)
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    assert presto.kubectl("logs", "deployment/presto-operator").count(" error ") == 0
