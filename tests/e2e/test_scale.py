"""2 -> 3 -> 1 workers, by each way that one would try, under a query that must not notice."""

from stage import until

# Some seconds of work for each worker, and an answer that is known.
QUERY = "select sum(length(comment)) > 0 as fine, count(*) as n from tpch.sf3.orders"


def uids(pods):
    return {p["metadata"]["uid"] for p in pods.values()}


def restarts(pods):
    return sum(c["restartCount"] for p in pods.values() for c in p["status"].get("containerStatuses", []))


def test_scale_up_by_kubectl_scale_leaves_all_others_alone(presto):
    coordinator, workers = presto.pods("coordinator"), presto.pods("worker")
    assert len(workers) == 2
    presto.kubectl("scale", f"presto/{presto.presto}", "--replicas=3")
    until(lambda: presto.active_workers() == 3, what="the coordinator counts three workers")
    presto.settle()
    assert uids(presto.pods("coordinator")) == uids(coordinator)
    assert uids(presto.pods("worker")) > uids(workers)
    assert restarts(presto.pods("coordinator")) == restarts(presto.pods("worker")) == 0
    assert presto.value("select count(*) from tpch.tiny.nation") == 25


def test_scale_down_lets_a_query_finish(presto):
    if presto.asked() != 3:
        presto.kubectl("scale", f"presto/{presto.presto}", "--replicas=3")
        presto.settle()
    coordinator, workers = presto.pods("coordinator"), presto.pods("worker")
    following = [presto.start("logs", "--env", presto.name, name, "--follow", "--tail", "1") for name in workers]
    until(lambda: all(f.out for f in following), 60, "the workers' logs")
    query = presto.start("query", "--env", presto.name, "--format", "csv", QUERY)

    def drivers():
        return sum(q["queryStats"]["runningDrivers"] for q in presto.coordinator("/v1/query") or []
                   if q["query"] == QUERY and q["state"] == "RUNNING")
    until(lambda: drivers() >= 3 or query.process.poll() is not None, what="all workers work on the query")
    assert query.process.poll() is None, "the query was over before it could be disturbed"
    presto.kubectl("patch", f"presto/{presto.presto}", "--type=merge", "-p", '{"spec":{"worker":{"count":1}}}')
    until(lambda: len(presto.pods("worker")) == 1, 60, "two workers have been told to stop")
    assert query.process.poll() is None, "the query was over before workers had to leave"
    done = query.wait(600)
    assert (done.status, done.out) == (0, "fine,n\ntrue,4500000\n"), done.err
    presto.settle()
    until(lambda: len(presto.list("pods", f"instance={presto.instance()},role=worker")) == 1, what="two pods are gone")
    until(lambda: presto.active_workers() == 1, what="the coordinator counts one worker")
    assert uids(presto.pods("coordinator")) == uids(coordinator)
    assert uids(presto.pods("worker")) < uids(workers)
    assert restarts(presto.pods("coordinator")) == restarts(presto.pods("worker")) == 0
    for f in following:
        if f.process.poll() is None:
            f.interrupt()
    drained = [text for text in ("".join(f.wait(30).out) for f in following) if "finish its tasks" in text]
    assert len(drained) == 2, "each worker that left was drained"
    assert presto.value("select count(*) from tpch.tiny.nation") == 25
