"""The end of GKE clusters on the stand-in: what they leave is listed, deleted or kept; what is not theirs is not touched."""
import json
import signal
import subprocess
import time

import pytest
from kube import SYSTEM, Kube
from test_gke_up import PRESTOCTL, PROJECT, Env, Google

SERVICE = "0b2f6c1e-1111-4222-8333-444455556666"
LB = "a0b2f6c1e11114222833344445555666"
PLACE = {"project": PROJECT, "location": "us-central1-a", "cluster": "demo"}


@pytest.fixture(scope="module", name="google")
def _google(tmp_path_factory):
    with Google(tmp_path_factory.mktemp("google"), scale=2000) as google:
        yield google


class Removal(Env):
    def made(self, **workload):
        code, events = self.up()
        assert code == 0, events
        self.google.control("POST", "workloads", {**PLACE, **workload})

    def down(self, *args, rc=0):
        done = self.ctl("down", self.name, *args)
        assert done.returncode == rc, (done.stdout, done.stderr)
        assert self.google.secrets_in(done.stdout + done.stderr) == []
        return done

    def left(self, *args, rc=6):
        """Rows of the report: (kind, name): match."""
        [result] = [json.loads(line) for line in self.down("--output", "json", *args, rc=rc).stdout.splitlines()]
        return {(row["kind"], row["name"]): row["match"] for row in result["leftovers"]}

    def things(self):
        """Of compute, in the project: {(kind, name)}."""
        all_of = self.google.ledger()["projects"][PROJECT]["compute"]
        return {(kind, one["name"]) for kind, those in all_of.items() for one in those}

    def known(self):
        return (self.folder / "state/prestoctl" / self.name / "state.json").exists()


@pytest.fixture(name="env")
def _env(google, tmp_path):
    return Removal(google, tmp_path)


@pytest.fixture(name="kube")
def _kube(env):
    kube = Kube(env.google)
    yield kube
    kube.close()


def volume(kube, name, policy="Delete", made=True):
    kube.put("/api/v1/persistentvolumes", name, annotations={
        "pv.kubernetes.io/provisioned-by": "pd.csi.storage.gke.io"} if made else {}, spec={
            "persistentVolumeReclaimPolicy": policy, "csi": {
                "driver": "pd.csi.storage.gke.io", "volumeHandle": f"projects/{PROJECT}/zones/us-central1-a/disks/{name}"}})


def balancer(kube, name="lb", uid=SERVICE):
    kube.put("/api/v1/services", name, "web", uid, spec={"type": "LoadBalancer"})


def test_a_cluster_that_leaves_nothing_is_gone_without_a_trace(env):
    env.made()
    done = env.down()
    assert "environment demo is gone" in done.stdout and "nothing is left" in done.stderr
    assert env.google.ledger()["empty"] and not env.known()


def test_what_is_left_is_listed_first_and_deleted_when_that_is_asked_for(env, kube):
    volume(kube, "pvc-1")
    env.made(services=[{"uid": SERVICE, "address": True}], volumes=[{"pv": "pvc-1"}])
    env.google.control("POST", "objects", [{"project": PROJECT, "scope": "zones/us-central1-a", "kind": "disks",
                                            "name": "gke-demo-mine"}])
    left = env.left()
    assert left[("disks", "pvc-1")] == left[("forwardingRules", LB)] == left[("addresses", LB)] == "ours"
    assert left[("disks", "gke-demo-mine")] == "looks like it"
    assert [k for k in left if k[0] == "httpHealthChecks"] and env.known()
    assert env.clusters() == [] and set(left) == env.things()
    text = env.down(rc=6)
    assert "left 7 things behind" in text.stderr and "down demo --leftovers delete" in text.stderr
    assert "yes    disks                  pvc-1" in text.stdout and "maybe  disks" in text.stdout
    done = env.down("--leftovers", "delete")
    assert "nothing of its own is left" in done.stderr and not env.known()
    assert env.things() == {("disks", "gke-demo-mine")}


@pytest.mark.parametrize("kind", ["target-pool", "internal", "neg", "ingress"])
def test_every_kind_of_load_balancer_goes(env, kube, kind):
    env.made()
    live = env.clusters()[0]
    kube.put("/api/v1/namespaces", "kube-system", uid=live["uid"])
    env.google.control("POST", "workloads", {**PLACE, "services": [
        {"uid": SERVICE, "kind": kind, "name": "lb", "namespace": "web"}]})
    names = sorted({n for k, n in env.things() if n.startswith("k8s")})
    notes = {"internal": {"service.kubernetes.io/backend-service": names[0],
                          "service.kubernetes.io/tcp-forwarding-rule": names[-1]},
             "neg": {"cloud.google.com/neg-status": json.dumps({"network_endpoint_groups": {"80": names[0]}})}}
    kube.put("/api/v1/services", "lb", "web", SERVICE, notes.get(kind), spec={
        "type": "LoadBalancer" if kind in ("target-pool", "internal") else "ClusterIP"})
    foreign = [{"project": PROJECT, "scope": "global", "kind": "healthChecks", "name": "k8s1-of-others"},
               {"project": PROJECT, "scope": "regions/us-central1", "kind": "targetPools",
                "name": "a99999999999999999999999999999999"[:32], "body": {
                    "description": '{"kubernetes.io/service-name":"x/y"}', "instances": ["x/gke-other-p-1-grp"]}}]
    env.google.control("POST", "objects", foreign)
    kube.on_delete = lambda _kind, _one: True       # the Service goes, and nobody takes its load balancer away
    env.down("--leftovers", "delete")
    assert env.things() == {(one["kind"], one["name"]) for one in foreign}


def test_load_balancers_go_while_the_cluster_lives(env, kube):
    balancer(kube)
    env.made(services=[{"uid": SERVICE}])
    gone = []

    def controllers(_kind, _one):
        gone.append(env.clusters()[0]["status"])
        env.google.control("DELETE", "workloads", {**PLACE, "services": [{"uid": SERVICE}]})
        return True

    kube.on_delete = controllers
    assert "nothing is left" in env.down().stderr
    assert gone == ["RUNNING"] and env.google.ledger()["empty"]


def test_the_api_server_is_asked_before_anything_goes(env, kube):
    volume(kube, "pvc-1")
    volume(kube, "pvc-old", "Retain", made=False)
    kube.put("/apis/networking.gke.io/v1beta1/servicenetworkendpointgroups", "k8s1-neg", "web")
    env.made(volumes=[{"pv": "pvc-1"}, {"pv": "pvc-old"}])
    left = env.left()
    marks = env.state()["gke"]["marks"]
    assert marks["uid"] == SYSTEM and marks["seen"] and marks["negs"] == ["k8s1-neg"]
    assert marks["volumes"] == [f"projects/{PROJECT}/zones/us-central1-a/disks/pvc-1"]
    # A disk that was brought along, and shall be retained, is not the cluster's.
    assert left == {("disks", "pvc-1"): "ours", ("disks", "pvc-old"): "looks like it"}
    env.down("--leftovers", "delete")
    assert env.things() == {("disks", "pvc-old")}


def test_disks_are_kept_and_do_not_count(env, kube):
    volume(kube, "pvc-1")
    env.made(volumes=[{"pv": "pvc-1"}])
    left = env.left("--keep-disks", "--leftovers", "delete", rc=0)
    assert left == {("disks", "pvc-1"): "kept"} and env.things() == {("disks", "pvc-1")} and not env.known()
    assert kube.objects["/api/v1/persistentvolumes"]["pvc-1"]["spec"]["persistentVolumeReclaimPolicy"] == "Retain"


def test_disks_that_cannot_be_seen_cannot_be_kept(env, kube):
    env.made()
    kube.denied.add("persistentvolumes")
    assert "disks cannot be kept" in env.down("--keep-disks", rc=4).stderr
    assert len(env.clusters()) == 1
    done = env.down()
    assert "what of kind PersistentVolume there is cannot be seen" in done.stderr


@pytest.mark.parametrize("denied", [{"namespaces", "prestos"}, {"prestos"}, {"DELETE"}])
def test_without_rights_inside_the_cluster_goes_all_the_same(env, kube, denied):
    env.made()
    kube.put("/apis/starburstdata.com/v1/prestos", "example", "default")
    kube.denied |= denied
    if "prestos" in denied:
        assert "forbidden" in env.down("--keep-disks", rc=4).stderr and len(env.clusters()) == 1
    done = env.down()
    assert "forbidden" in done.stderr and "environment demo is gone" in done.stdout
    assert env.clusters() == [] and not env.known()


def test_protection_is_refused_before_anything_goes(env, kube):
    balancer(kube)
    env.gke["deletionProtection"] = True
    env.made()
    before = len(env.google.requests())
    done = env.down(rc=4)
    assert "is protected from deletion" in done.stderr and "--unprotect" in done.stderr
    assert [e for e in env.google.requests()[before:] if e["write"] and e["service"] != "oauth"] == []
    assert [m for m, _ in kube.log if m != "GET"] == [] and len(env.clusters()) == 1
    kube.on_delete = lambda _kind, _one: True
    env.down("--unprotect")
    assert env.google.ledger()["empty"]


def test_protection_holds_also_when_the_api_server_is_away(env):
    env.gke["deletionProtection"] = True
    env.made()
    env.down(rc=4)
    assert len(env.clusters()) == 1 and env.known()


def test_an_absence_that_cannot_be_seen_is_not_claimed(env):
    env.made()
    env.google.configure(unreachable=["us-central1-b"])
    done = env.down(rc=6)
    assert "not everything that it may have left could be looked at" in done.stderr and env.known()
    env.google.configure(unreachable=[])
    env.down()
    assert not env.known()


def test_without_rights_in_compute_the_cluster_goes_and_the_rest_is_unknown(env):
    env.made()
    env.google.fault(preset="denied", match={"path": "/compute/*"}, times=0)
    env.down(rc=6)
    assert env.clusters() == [] and env.known()
    done = env.down("--leftovers", "ignore")
    assert "nobody looked for what it left" in done.stderr and not env.known()


def test_a_running_operation_is_waited_for(env):
    env.google.configure(durations={"CREATE_CLUSTER": 4000})
    env.write()
    with subprocess.Popen([PRESTOCTL, "up", "-f", env.file], env=env.env, stderr=subprocess.DEVNULL) as run:
        while not env.clusters():
            assert run.poll() is None
            time.sleep(0.02)
        run.kill()
    env.down()
    assert env.google.ledger()["empty"]


def test_an_interrupted_up_leaves_nothing_to_be_sorry_for(env):
    env.google.fault(match={"method": "POST", "path": "*/clusters"}, hang=20)
    env.write()
    with subprocess.Popen([PRESTOCTL, "up", "-f", env.file], env=env.env, stderr=subprocess.DEVNULL) as run:
        while not env.known() or "run" not in env.state().get("gke", {}):
            assert run.poll() is None
        run.kill()
    assert "there is no cluster demo" in env.down().stderr and not env.known()


def test_a_cluster_in_error_and_one_that_google_removed_go_too(env):
    env.google.plan(match={"type": "CREATE_CLUSTER"}, outcome="internal")
    code, _ = env.up()
    assert code != 0
    env.down()
    assert env.google.ledger()["empty"]
    env.made()
    env.google.http("DELETE", f"/v1/projects/{PROJECT}/locations/us-central1-a/clusters/demo", token=env.google.token)
    env.down()
    assert env.google.ledger()["empty"] and not env.known()


def test_a_cluster_of_somebody_else_with_the_name_stays(env):
    env.made()
    url = f"/v1/projects/{PROJECT}/locations/us-central1-a/clusters"
    env.google.http("DELETE", f"{url}/demo", token=env.google.token)
    while env.clusters():
        time.sleep(0.02)
    env.google.http("POST", url, {"cluster": {"name": "demo", "initialNodeCount": 1}}, token=env.google.token)
    done = env.down()
    assert "is not of this environment" in done.stderr and len(env.clusters()) == 1


def test_one_that_somebody_makes_anew_meanwhile_stays(env, kube):
    url = f"/v1/projects/{PROJECT}/locations/us-central1-a/clusters"
    balancer(kube)
    env.made()

    def replaced(_kind, _one):
        env.google.http("DELETE", f"{url}/demo", token=env.google.token)
        while env.clusters():
            time.sleep(0.02)
        env.google.http("POST", url, {"cluster": {"name": "demo", "initialNodeCount": 1, "resourceLabels": {
            "prestoctl-environment": "demo", "prestoctl-run": "f" * 16}}}, token=env.google.token)
        return True

    kube.on_delete = replaced
    assert "somebody else's, and stays" in env.down().stderr
    left = env.google.http("GET", f"{url}/demo", token=env.google.token)[1]
    assert left["resourceLabels"]["prestoctl-run"] == "f" * 16


def test_a_deletion_that_google_gives_up_is_told_and_can_be_repeated(env):
    env.made()
    env.google.plan(match={"type": "DELETE_CLUSTER"}, outcome="internal")
    done = env.down(rc=1)
    assert "Internal error" in done.stderr and "still there: cluster demo in us-central1-a" in done.stderr
    env.down()
    assert env.google.ledger()["empty"]


def test_one_that_is_in_use_goes_after_its_user_or_is_told(env, kube):
    volume(kube, "pvc-1")
    env.made()
    base = f"{{base}}/compute/v1/projects/{PROJECT}/zones/us-central1-a"
    env.google.control("POST", "objects", [{"project": PROJECT, "scope": "zones/us-central1-a", "kind": kind, "name": name,
                                            "body": body} for kind, name, body in (
        ("instances", "mine", {"disks": [{"source": f"{base}/disks/pvc-1"}]}),
        ("disks", "pvc-1", {"users": [f"{base}/instances/mine"]}))])
    done = env.down("--leftovers", "delete", rc=6)
    assert "disks pvc-1" in done.stderr and "left 1 thing behind" in done.stderr


@pytest.mark.parametrize("path", ["*/clusters/demo", "*/operations/*", "*/aggregated/disks", "*/disks/pvc-1",
                                  "*/forwardingRules/*"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_anywhere_it_goes_on(env, kube, path, when):
    volume(kube, "pvc-1")
    env.made(services=[{"uid": SERVICE}], volumes=[{"pv": "pvc-1"}])
    pid = env.folder / "pid"
    method = "DELETE" if "aggregated" not in path and "operations" not in path else "*"
    env.google.fault(match={"method": method, "path": path}, signal={"pidFile": str(pid), "when": when})
    with subprocess.Popen([PRESTOCTL, "down", "demo", "--leftovers", "delete"], env=env.env,
                          stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as run:
        pid.write_text(str(run.pid))
        assert run.wait(60) == -signal.SIGKILL
    kube.close()        # gone with its cluster, or not: the second run may not need it
    env.down("--leftovers", "delete")
    assert env.google.ledger()["empty"] and not env.known()


def test_interrupted_it_says_what_still_exists(env):
    env.made()
    env.google.plan(match={"type": "DELETE_CLUSTER"}, seconds=20000)
    with subprocess.Popen([PRESTOCTL, "down", "demo"], env=env.env, stderr=subprocess.PIPE, text=True) as run:
        while env.clusters()[0]["status"] != "STOPPING":
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        said = run.communicate(timeout=30)[1]
    assert run.returncode == 130, said
    assert "still there: cluster demo in us-central1-a of project demo-proj; Google goes on deleting it" in said
    assert "prestoctl down demo goes on from here" in said


def test_options_for_other_providers_are_mistakes(env):
    folder = env.folder / "state/prestoctl/near"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(json.dumps({"version": 1, "name": "near", "provider": "existing",
                                                   "namespace": "p", "context": "c"}))
    for option in (["--leftovers", "delete"], ["--keep-disks"], ["--unprotect"], ["--adopt"]):
        done = env.ctl("down", "near", *option)
        assert done.returncode == 2 and "means nothing to the provider existing" in done.stderr


# Lists

def cluster(env, name, environment, location="us-central1-a", **labels):
    url = f"/v1/projects/{PROJECT}/locations/{location}/clusters"
    status, reply = env.google.http("POST", url, {"cluster": {
        "name": name, "initialNodeCount": 2, "resourceLabels": {"prestoctl-environment": environment, **labels}}},
        token=env.google.token)
    assert status == 200, reply
    while not any(c["name"] == name and c["status"] == "RUNNING" for c in env.clusters()):
        time.sleep(0.02)


def run_of(number):
    return {"prestoctl-run": f"{number:016x}"}


def rows(env, *args):
    done = env.ctl("list", "--output", "json", *args)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    return {row["name"]: row for row in result["environments"]}, result, done.stderr


def test_list_shows_environments_of_the_project_and_of_this_machine(env):
    env.gke["ttl"] = "3h"
    env.made()
    cluster(env, "theirs", "nightly", "europe-west1", **run_of(1), **{"prestoctl-expires-at": "1700000000",
                                                                      "prestoctl-protected": "true"})
    env.google.http("POST", f"/v1/projects/{PROJECT}/locations/us-east1-b/clusters", {"cluster": {
        "name": "plain", "initialNodeCount": 1}}, token=env.google.token)
    near = env.folder / "state/prestoctl/near"
    near.mkdir(parents=True)
    (near / "state.json").write_text(json.dumps({"version": 1, "name": "near", "provider": "local", "cluster": "default"}))
    found, result, _ = rows(env)
    assert set(found) == {"demo", "nightly", "near"} and not result["partial"]
    assert found["demo"]["here"] and 3 * 3600 - 120 < found["demo"]["ttlSeconds"] <= 3 * 3600
    assert found["demo"]["machineTypes"] == ["e2-standard-4"] and found["demo"]["nodes"] == 2
    assert found["nightly"]["protected"] and found["nightly"]["ttlSeconds"] < 0 and not found["nightly"]["here"]
    assert found["nightly"]["nodes"] == 6 and found["nightly"]["location"] == "europe-west1"
    assert found["near"]["provider"] == "local" and found["near"]["cluster"] == "default"
    table = env.ctl("list").stdout.splitlines()
    assert table[0].split() == ["NAME", "PROVIDER", "CLUSTER", "LOCATION", "STATE", "AGE", "TTL", "NODES", "TYPES",
                                "PROTECTED"]
    assert [line.split()[0] for line in table[1:]] == ["demo", "near", "nightly"]
    assert "expired" in table[3] and table[3].rstrip().endswith("yes")


def test_list_without_a_login_shows_this_machine(env):
    near = env.folder / "state/prestoctl/near"
    near.mkdir(parents=True)
    (near / "state.json").write_text(json.dumps({"version": 1, "name": "near", "provider": "local", "cluster": "default"}))
    env.env = {**env.google.env(env.folder, None), "XDG_STATE_HOME": str(env.folder / "state"), "NO_GCE_CHECK": "true",
               "PATH": "/nonexistent"}
    done = env.ctl("list")
    assert done.returncode == 0 and "near" in done.stdout and done.stderr == ""
    asked = env.ctl("list", "--project", PROJECT)
    assert asked.returncode == 4 and "error:" in asked.stderr


def test_an_empty_list_is_friendly(env):
    done = env.ctl("list")
    assert done.returncode == 0 and "prestoctl up -f FILE makes one" in done.stdout


def test_a_cluster_that_is_not_there_any_more_is_gone_in_the_list(env):
    env.made()
    env.google.http("DELETE", f"/v1/projects/{PROJECT}/locations/us-central1-a/clusters/demo", token=env.google.token)
    while env.clusters():
        time.sleep(0.02)
    found, _, _ = rows(env)
    assert found["demo"]["state"] == "gone"


# Past the ttl

def gc(env, *args, rc=0):
    done = env.ctl("gc", *args)
    assert done.returncode == rc, (done.stdout, done.stderr)
    return done


def past(number, ago=60):
    return {**run_of(number), "prestoctl-expires-at": str(int(time.time()) - ago)}


def test_gc_only_says_what_it_would_do(env):
    cluster(env, "old", "nightly", **past(1))
    cluster(env, "new", "weekly", **past(2, -3600))
    for args in ((), ("--dry-run",)):
        done = gc(env, *args)
        assert "nightly" in done.stdout and "weekly" not in done.stdout and "gc --delete removes it" in done.stdout
    assert len(env.clusters()) == 2
    assert gc(env, "--dry-run", "--delete", rc=2)


def test_gc_removes_what_is_past_its_time_and_nothing_else(env):
    env.gke["ttl"] = "1h"
    env.made(services=[{"uid": SERVICE}])
    cluster(env, "old", "nightly", "us-central1-b", **past(1))
    cluster(env, "safe", "kept", **past(2), **{"prestoctl-protected": "true"})
    cluster(env, "none", "endless", **run_of(3))
    cluster(env, "odd", "strange", **run_of(4), **{"prestoctl-expires-at": "soon"})
    done = gc(env, "--delete", "--leftovers", "delete")
    assert {c["name"] for c in env.clusters()} == {"demo", "safe", "none", "odd"}
    assert "environment nightly is gone" in done.stdout and "stays: kept is past its end, and protected" in done.stdout
    assert not (env.folder / "state/prestoctl/nightly").exists() and env.known()
    labels = {"prestoctl-expires-at": str(int(time.time()) - 5)}
    live = env.google.http("GET", f"/v1/projects/{PROJECT}/locations/us-central1-a/clusters/demo", token=env.google.token)[1]
    env.google.http("POST", f"/v1/projects/{PROJECT}/locations/us-central1-a/clusters/demo:setResourceLabels", {
        "resourceLabels": {**live["resourceLabels"], **labels}, "labelFingerprint": live["labelFingerprint"]},
        token=env.google.token)
    while not any(labels.items() <= c["labels"].items() for c in env.clusters()):
        time.sleep(0.02)
    said = json.loads(gc(env, "-o", "json").stdout)
    assert [(r["name"], r["here"]) for r in said["expired"] + said["protected"]] == [("demo", True), ("kept", False)]
    gc(env, "--delete", "--leftovers", "delete")
    assert {c["name"] for c in env.clusters()} == {"safe", "none", "odd"} and not env.known()
    assert not [one for one in env.things() if LB in one[1]]


def test_gc_does_not_take_a_zone_that_is_silent_for_an_empty_one(env):
    for args, code in (((), 0), (("--delete",), 6)):
        env.google.fault(match={"method": "GET", "path": "*/locations/-/clusters"}, status=200,
                         body={"missingZones": ["us-central1-b"]})
        done = gc(env, *args, rc=code)
        assert "us-central1-b does not say" in done.stderr and "none of those that could be seen" in done.stdout
    assert "not all places of project demo-proj say what they have" in done.stderr


def test_gc_does_not_trust_a_clock_that_is_off(env):
    """A login that needs no clock, and a machine two hours ahead: all that lives less than that would go."""
    cluster(env, "new", "weekly", **past(1))
    env.env["GOOGLE_OAUTH_ACCESS_TOKEN"] = env.google.token
    env.google.control("POST", "clock", {"skew": -7200})
    try:
        done = gc(env, "--delete", rc=1)
        assert "clock is 2h" in done.stderr and "ahead of Google's" in done.stderr and "set the clock" in done.stderr
        assert "weekly" in gc(env).stdout
    finally:
        env.google.control("POST", "clock", {"skew": 0})
    assert len(env.clusters()) == 1


def test_one_that_cannot_be_removed_does_not_stop_the_others(env):
    cluster(env, "a", "first", **past(1))
    cluster(env, "b", "second", "us-central1-b", **past(2))
    env.google.fault(preset="denied", match={"method": "DELETE", "path": "*/clusters/a"}, times=0)
    done = gc(env, "--delete", rc=6)
    assert "1 of 2 expired environments" in done.stderr and "first: " in done.stderr
    assert [c["name"] for c in env.clusters()] == ["a"]


def test_leftovers_of_a_collected_cluster_are_remembered_under_a_name(env, kube):
    volume(kube, "pvc-1")
    cluster(env, "old", "demo", "us-central1-b", **past(0x1234567890abcdef))
    env.google.control("POST", "workloads", {**PLACE, "cluster": "old", "location": "us-central1-b", "volumes": [
        {"pv": "pvc-1", "zone": "us-central1-a"}]})
    env.made()
    kept = env.state()
    done = gc(env, "--delete", rc=6)
    # The name is another cluster's here, so that state is not touched.
    assert env.state() == kept and [c["name"] for c in env.clusters()] == ["demo"]
    assert "down demo-12345678 --leftovers delete" in done.stderr
    env.name = "demo-12345678"
    env.down("--leftovers", "delete")
    assert ("disks", "pvc-1") not in env.things() and [c["name"] for c in env.clusters()] == ["demo"]
