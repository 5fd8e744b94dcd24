"""`down` takes everything out of the cluster that this environment put there."""


def test_down_that_keeps_the_cluster_leaves_nothing_in_it(presto):
    before = presto.audit_end()
    done = presto.ctl("down", presto.name, "--keep-cluster")
    assert "is gone" in done.out
    for path in (f"/api/v1/namespaces/{presto.ns}",
                 "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/prestos.starburstdata.com"):
        assert presto.kube.get(path) is None, done.out + done.err
    assert [w for w in presto.writes(before, "prestoctl") if not w.startswith("delete ")] == []
    for kind in ("pods", "configmaps", "services", "events"):
        assert not [o for o in presto.kube.get(f"/api/v1/{kind}")["items"] if o["metadata"]["namespace"] == presto.ns]
    assert not list(presto.state.rglob("state.json")), "nothing is remembered"
    assert presto.devcluster("status")["state"] == "running"
