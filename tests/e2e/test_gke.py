"""A cluster of Google's, which is a real one behind the stand-in: from a file to SQL, hurt on the way, and away again."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

from gke_stage import CLUSTER, LOCATION, PROJECT
from stage import BIN, ENV_LABEL, until
from dc.parts import Parts

PLUGIN = shutil.which("gke-gcloud-auth-plugin")
NATION = "select count(*) from tpch.tiny.nation"
FOREVER = 100000        # virtual seconds, far beyond what a test waits


# The stage itself: real clients find it as they would find Google's.

@pytest.mark.skipif(not (PLUGIN and shutil.which("gcloud") and shutil.which("kubectl")),
                    reason="gcloud, its plugin or kubectl is not installed: that the stage is real is not checked")
def test_gcloud_its_plugin_and_kubectl_reach_the_nodes(gke):
    def run(*argv):
        done = subprocess.run(argv, env=gke.env, text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                              check=False)
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    at = [f"--zone={LOCATION}", "--quiet"]
    run("gcloud", "container", "clusters", "create", CLUSTER, "--num-nodes=1", "--async", *at)
    until(lambda: gke.project()["clusters"][0]["status"] == "RUNNING", 20, "the cluster runs")
    run("gcloud", "container", "clusters", "get-credentials", CLUSTER, *at)
    assert run("kubectl", "get", "nodes", "-o", "name").split() == ["node/node0"]
    assert "ci@demo-proj.iam.gserviceaccount.com" in run("kubectl", "auth", "whoami")
    run("kubectl", "create", "service", "loadbalancer", "public", "--tcp=80:80")
    until(lambda: gke.project()["compute"].get("forwardingRules"), 20, "the load balancer is on the bill")
    run("kubectl", "delete", "service", "public")
    until(lambda: not gke.project()["compute"].get("forwardingRules"), 20, "it went with its Service")
    run("gcloud", "container", "clusters", "delete", CLUSTER, "--async", *at)
    until(lambda: gke.google.ledger()["empty"], 20, "nothing is left")
    gke.kubeconfig.unlink()


# One environment: begun three times, finished once.

def test_ctrl_c_while_google_works_says_what_there_is_and_how_to_go_on(gke):
    gke.google.plan(match={"type": "CREATE_CLUSTER"}, seconds=FOREVER)
    running = gke.start("up", "-f", gke.file)
    until(lambda: any("/operations/" in e["path"] for e in gke.google.requests()), 20, "it waits for Google")
    running.interrupt()
    done = running.wait(20)
    assert done.status == 130, done.err
    assert f"cluster {CLUSTER} in {LOCATION} of project {PROJECT}" in done.err
    assert "the same command goes on" in done.err and f"prestoctl down {gke.name}" in done.err
    assert not gke.secrets_in(done.out, done.err)


def test_a_timeout_says_what_it_waited_for(gke):
    done = gke.up("--timeout", "3s", status=3)
    assert re.search(r"CREATE_CLUSTER|create cluster", done.err) and "operation-" in done.err, done.err
    assert len(gke.project()["clusters"]) == 1


def test_up_goes_on_to_the_answer_although_it_is_killed_and_its_tokens_end(gke):
    running = gke.start("up", "-f", gke.file, "--output", "json")
    until(lambda: any("create cluster" in e.get("message", "") for e in running.events()), 20, "it waits again")
    assert running.kill()
    gke.google.control("POST", "clock", {"advance": FOREVER})
    gke.google.fault(preset="expired-token", match={"service": "container"})
    with gke.watched() as lines:
        running = gke.start("up", "-f", gke.file, "--output", "json", "--kubeconfig", "--junit", gke.tmp / "up.xml",
                            "--verbose")
        assert running.step("presto-ready"), running.text()
        gke.google.control("POST", "expire", {})
        done = running.wait(600)
    assert done.status == 0, done.err
    assert json.loads(done.out.splitlines()[-1])["answer"] == "25"
    assert [e["fault"] for e in gke.google.requests() if e["fault"]] == ["expired-token"]
    [made] = [e for e in gke.google.writes() if e["path"].endswith("/clusters") and "prestoctl" in e["headers"]["user-agent"]]
    assert made["body"]["cluster"]["resourceLabels"]["prestoctl-environment"] == gke.name
    assert gke.pools() == {"workers": 2}
    assert any("prestoctl" in line for line in lines), "the sampling has seen what ran"
    assert not gke.secrets_in(done.out, done.err, (gke.tmp / "up.xml").read_text("utf-8"), *lines)
    assert "ya29." not in "\n".join([done.out, done.err, *lines])


@pytest.fixture(name="up")
def _up(gke):
    """The environment as it is after an `up` that had an answer."""
    if not gke.project()["clusters"] or not gke.kube.get(f"/api/v1/namespaces/{gke.ns}") or not gke.resource():
        gke.up()
    gke.settle()
    return gke


def test_status_and_query_need_no_file(up):
    told = json.loads(up.ctl("status", up.name, "--output", "json").out)
    assert told["ready"] is True
    assert up.value(NATION) == 25


def test_a_second_up_writes_nothing_to_google_and_nothing_to_kubernetes(up):
    mark, before = up.mark(), up.audit_end()
    done = up.up("--output", "json")
    assert json.loads(done.out.splitlines()[-1])["answer"] == "25"
    assert up.google_writes(mark) == []
    assert len(up.google.requests(mark)) >= 2, "the log must show that prestoctl has looked"
    seen = [e for e in up.audit(before) if e.get("userAgent", "").startswith("prestoctl/")]
    assert len(seen) > 5 and {e["user"]["username"] for e in seen} == {"ci@demo-proj.iam.gserviceaccount.com"}
    assert up.writes(before, "prestoctl") == up.writes(before, "presto-operator") == []


def test_kubectl_gets_there_by_prestoctl_alone(up):
    """Merged by `up --kubeconfig`; another context that was there would be the current one still."""
    env = {**up.env, "PATH": f"{BIN}:/usr/bin:/bin"}

    def kubectl(*args):
        argv = [Parts().path("kubectl"), "--context", f"gke_{PROJECT}_{LOCATION}_{CLUSTER}", *args]
        return subprocess.run(argv, env=env, text=True, capture_output=True, timeout=60, check=False)

    done = kubectl("auth", "whoami", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"]["userInfo"]["username"] == "ci@demo-proj.iam.gserviceaccount.com"
    tokens = len(up.google.requests(service="oauth"))
    assert kubectl("get", "presto", up.presto, "-n", up.ns, "-o", "name").stdout.strip().endswith(f"/{up.presto}")
    assert len(up.google.requests(service="oauth")) == tokens, "the token comes from the cache"
    known = yaml.safe_load(up.kubeconfig.read_text("utf-8"))
    assert [u["user"]["exec"]["args"][0] for u in known["users"]] == ["credential"]
    assert not up.secrets_in()


def test_plan_shows_the_one_request_and_up_sends_it(up):
    env = up.environment()
    env["cluster"]["gke"]["nodePools"][0]["count"] = 3
    file = up.write_file(env, up.tmp / "three.yaml")
    mark, before = up.mark(), up.audit_end()
    plan = json.loads(up.ctl("plan", "-f", file, "--output", "json").out)
    [request] = plan["cluster"]["requests"]
    assert request["url"].endswith(f"/clusters/{CLUSTER}/nodePools/workers:setSize")
    assert request["body"]["nodeCount"] == 3
    assert up.google_writes(mark) == [] and up.writes(before, "prestoctl") == []
    assert up.pools() == {"workers": 2}
    done = up.up("--output", "json", file=file)
    assert json.loads(done.out.splitlines()[-1])["answer"] == "25"
    assert up.pools() == {"workers": 3}
    [write] = up.google_writes(mark)
    assert write.endswith("/nodePools/workers:setSize: 200")
    assert up.writes(before, "prestoctl") == []
    up.up()


def test_down_lists_what_is_left_and_deletes_it_when_told_to(up):
    handle = f"projects/{PROJECT}/zones/{LOCATION}/disks/pvc-left"
    up.kubectl("-n", "default", "create", "service", "loadbalancer", "public", "--tcp=80:80")
    up.kubectl("apply", "-f", "-", stdin=json.dumps({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pvc-left", "annotations": {
            "pv.kubernetes.io/provisioned-by": "pd.csi.storage.gke.io"}}, "spec": {
            "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "10Gi"}, "storageClassName": "none",
            "persistentVolumeReclaimPolicy": "Delete", "csi": {"driver": "pd.csi.storage.gke.io", "volumeHandle": handle}}}))
    until(lambda: {"forwardingRules", "disks"} <= set(up.project()["compute"]) and "pvc-left" in json.dumps(up.project()),
          20, "both are on the bill")
    up.google.configure(mirrorPaused=True)      # whoever would take them away is not there any more
    done = up.ctl("down", up.name, status=6)
    assert "pvc-left" in done.out + done.err and "forwarding" in (done.out + done.err).lower(), done.out + done.err
    assert up.project()["clusters"] == [] and up.project()["compute"]["disks"]
    assert (up.state / "prestoctl" / up.name / "state.json").exists(), "what is left is remembered"
    done = up.ctl("down", up.name, "--leftovers", "delete")
    up.google.configure(mirrorPaused=False)
    assert not up.secrets_in(done.out, done.err)
    up.nothing_left()
    known = up.kubeconfig.read_text("utf-8") if up.kubeconfig.exists() else ""
    assert f"gke_{PROJECT}_{LOCATION}_{CLUSTER}" not in known
    up.kubectl("delete", "pv", "pvc-left", "--wait=false")
    up.empty_the_backend()


# Killed in the middle of what concerns Kubernetes, and on to SQL. From nothing, or with all there but the one object that is
# to be written: then Presto's pods run on. The cluster is taken over by its labels each time that it is not remembered.

@pytest.mark.parametrize(("killed", "lost"), [
    ("namespace", None), ("role", "role/presto-operator"), ("operator", "deployment/presto-operator"), ("presto", None)])
def test_up_killed_after_a_write_to_kubernetes_goes_on_to_the_answer(gke, killed, lost):
    if lost:
        gke.kubectl("delete", lost)
    elif (gke.state / "prestoctl" / gke.name).exists():
        gke.ctl("down", gke.name, "--keep-cluster")
    before = gke.audit_end()
    running = gke.start("up", "-f", gke.file, "--adopt", "--output", "json")
    assert running.step(killed, "done"), running.text()
    assert running.kill(), running.text()
    assert gke.writes(before, "prestoctl")
    done = gke.up("--output", "json")
    assert json.loads(done.out.splitlines()[-1])["answer"] == "25"
    assert len(gke.project()["clusters"]) == 1
    prestos = gke.kube.get("/apis/starburstdata.com/v1/prestos")["items"]
    assert [p["metadata"]["labels"][ENV_LABEL] for p in prestos] == [gke.name]


def test_down_of_a_cluster_that_was_taken_over_leaves_nothing(gke):
    gke.ctl("down", gke.name)
    gke.nothing_left()
