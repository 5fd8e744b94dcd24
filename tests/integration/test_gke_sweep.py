"""Whatever happens to an `up` or a `down` at whichever request to Google, the next one ends where the first was to.

Of Kubernetes there is an API server, and a node that is too small for Presto: an `up` that has come so far ends in the
step "room", which is the first after all that concerns Google. Many go on side by side, in lanes: each has a project
and an address of its own at the one stand-in.
"""

import base64
import concurrent.futures
import contextlib
import http.client
import itertools
import json
import os
import queue
import shutil
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PRESTOCTL = ROOT / "build" / os.environ.get("VARIANT", "debug") / "prestoctl"
DEVCLUSTER = ROOT / "scripts/devcluster/devcluster"
sys.path.insert(0, str(ROOT / "tests/peers/google"))
sys.dont_write_bytecode = True

from client import Google               # noqa: E402  pylint: disable=wrong-import-position

LANES = 16          # most of a run is waiting
WRITES = {"create", "update", "patch", "delete", "deletecollection"}
IMAGES = ("localhost/presto:312", "localhost/presto-operator:dev")
# Each at every index. What comes back by itself at once, what wants patience, and what must not be believed.
FAULTS = [{"preset": "unavailable"}, {"preset": "unavailable-html"}, {"preset": "rate-info"}, {"preset": "rate-403"},
          {"preset": "reset-before"}, {"preset": "reset-after"}, {"preset": "half"}, {"preset": "lost-reply"},
          {"preset": "html-ok"}, {"preset": "empty-ok"}, {"preset": "expired-token"}, {"preset": "unauthenticated"},
          {"preset": "slow", "delay": 0.3}, {"preset": "hang", "hang": 0.3}]


def address(number):
    """Of a lane: requests are told apart by the host that they name."""
    return f"127.0.0.{number + 2}"


class Api:
    """An API server that lets in whom the stand-in knows; its one node is as large as a test wants it."""

    def __init__(self, google, name):
        self.name = name
        out = subprocess.run([DEVCLUSTER, "up", "--control-plane-only", "--name", name, "--output", "json",
                              "--token-webhook", f"{google.plain}/k8s/tokenreview"], capture_output=True, text=True,
                             timeout=300, check=True).stdout
        told = json.loads(out.splitlines()[-1])
        self.kubeconfig, self.audit = told["kubeconfig"], Path(told["audit_log"])
        config = yaml.safe_load(Path(self.kubeconfig).read_text("utf-8"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.at = urlsplit(cluster["server"])
        self.tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        keys = Path(google.folder, "admin.pem")
        keys.write_bytes(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
        self.tls.load_cert_chain(keys)
        self.uid = self.call("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"]
        self.call("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node0"}})
        # A new node is tainted until somebody has looked after it, which nobody does here.
        self.call("PATCH", "/api/v1/nodes/node0", {"spec": {"taints": None}}, "application/merge-patch+json")
        self.node(memory="16Mi")

    def call(self, method, path, body=None, kind="application/json"):
        """The object, None when it is not there."""
        c = http.client.HTTPSConnection(self.at.hostname, self.at.port, timeout=20, context=self.tls)
        with contextlib.closing(c):
            c.request(method, path, json.dumps(body) if body else None, {"Content-Type": kind, "User-Agent": "sweep"})
            r = c.getresponse()
            text = r.read()
        assert r.status < 300 or r.status == 404, (method, path, r.status, text)
        return json.loads(text) if r.status != 404 else None

    def node(self, memory):
        room = {"cpu": "8", "memory": memory, "pods": "110"}
        self.call("PATCH", "/api/v1/nodes/node0/status", {"status": {
            "capacity": room, "allocatable": room, "images": [{"names": [i], "sizeBytes": 1} for i in IMAGES]}},
            "application/merge-patch+json")

    def down(self):
        subprocess.run([DEVCLUSTER, "down", "--name", self.name], capture_output=True, timeout=120, check=False)


class Lane:
    """One user with one environment, again and again from nothing."""

    def __init__(self, google, api, number, folder):
        self.google, self.api, self.number, self.project = google, api, number, f"lane-{number}"
        self.host = f"{address(number)}:{urlsplit(google.plain).port}"
        self.folder, self.name = folder / self.project, f"lane{number}"
        self.folder.mkdir()
        key = json.loads(Path(google.credentials["sa"]).read_text("utf-8"))
        (self.folder / "key.json").write_text(json.dumps(key | {"token_uri": f"http://{self.host}/token"}))
        ours = urlsplit(google.plain).netloc
        env = google.env(self.folder, "sa", project=self.project)
        self.env = {k: v.replace(ours, self.host) for k, v in env.items()} | {
            "GOOGLE_APPLICATION_CREDENTIALS": str(self.folder / "key.json"),
            "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": str(self.folder / "key.json"),
            "XDG_STATE_HOME": str(self.folder / "state"), "XDG_CACHE_HOME": str(self.folder / "cache"),
            "PRESTOCTL_SHORTEST_POLL": "250ms"}
        self.file, self.pid = self.folder / "env.yaml", self.folder / "pid"
        self.write(self.name)
        self.objects()

    def write(self, name):
        self.name = name
        small = {"cpuRequest": "100m", "memoryAllocation": "1Gi"}
        self.file.write_text(yaml.safe_dump({
            "apiVersion": "prestoctl/v1", "kind": "Environment", "name": name, "operator": {
                "namespace": name, "image": IMAGES[1], "imagePullPolicy": "Never"},
            "cluster": {"provider": "gke", "gke": {
                "project": self.project, "name": "demo", "location": "us-central1-a",
                "nodePools": [{"name": "workers", "machineType": "e2-standard-4", "count": 1}]}},
            "presto": {"metadata": {"name": "example"}, "spec": {
                "image": {"name": "localhost/presto", "tag": "312", "pullPolicy": "Never"}, "coordinator": small,
                "worker": {"count": 1, **small}}}}), "utf-8")

    # --- prestoctl

    def start(self, *args):
        self.pid.unlink(missing_ok=True)
        # pylint: disable-next=consider-using-with
        process = subprocess.Popen([PRESTOCTL, *args, "--output", "json", "--timeout", "90s"], env=self.env, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        temporary = self.pid.with_suffix(".new")
        temporary.write_text(str(process.pid), "ascii")
        temporary.rename(self.pid)
        return process

    def run(self, *args):
        """(status, its lines)"""
        with self.start(*args) as process:
            out, err = process.communicate(timeout=120)
        return process.returncode, out + err

    def up(self):
        return self.run("up", "-f", self.file)

    def down(self):
        return self.run("down", self.name, "--leftovers", "delete")

    @contextlib.contextmanager
    def rule(self, nth, **what):
        """A fault at the n-th request of this lane. The list that it yields gets how often it has happened."""
        hits = []
        number = self.google.fault(match={"host": self.host}, nth=nth, **what)
        try:
            yield hits
        finally:
            hits.append(self.google.unfault(number))

    # --- what must be true

    def requests(self, since=0):
        return [e for e in self.google.requests(since) if e["host"] == self.host]

    def state(self):
        return self.folder / "state/prestoctl" / self.name / "state.json"

    def ledger(self):
        return self.google.ledger()["projects"][self.project]

    def one_cluster(self, story):
        clusters = self.ledger()["clusters"]
        assert len(clusters) == 1, (story, clusters)
        run = json.loads(self.state().read_text("utf-8"))["gke"]["run"]
        assert clusters[0]["labels"]["prestoctl-run"] == run, (story, clusters)

    def must_come_up(self, story):
        status, text = self.up()
        assert through(status, text), f"{story}\n{status}: {text}"
        self.one_cluster(story)

    def must_be_gone(self, story):
        assert self.ledger()["count"] == 0, f"{story}\n{json.dumps(self.ledger(), indent=1)}"
        assert not self.state().exists(), story

    def must_go(self, story):
        status, text = self.down()
        assert status == 0, f"{story}\n{status}: {text}"
        self.must_be_gone(story)

    def clutter(self):
        """What the cluster will leave: the disk of a volume, and groups of endpoints that a Service is known by."""
        place = {"project": self.project, "location": "us-central1-a", "cluster": "demo",
                 "uid": self.api.uid}
        made = self.google.control("POST", "workloads", place | {
            "volumes": [{"pv": self.name, "attached": False}],
            "services": [{"uid": f"00000000-0000-4000-8000-{self.number:012}", "kind": "neg", "name": self.name}]})
        self.api.call("PATCH", f"/api/v1/namespaces/default/services/{self.name}", {"metadata": {"annotations": {
            "cloud.google.com/neg-status": json.dumps({"network_endpoint_groups": {"8080": made["services"][0]},
                                                       "zones": ["us-central1-a"]})}}}, "application/merge-patch+json")

    def objects(self):
        """The volume and the Service in Kubernetes. They are there all the time: in the shared API server every lane sees
        those of all others, and takes only what is its project's for its own."""
        handle = f"projects/{self.project}/zones/us-central1-a/disks/{self.name}"
        self.api.call("POST", "/api/v1/persistentvolumes", {
            "metadata": {"name": self.name, "annotations": {"pv.kubernetes.io/provisioned-by": "pd.csi.storage.gke.io"}},
            "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "10Gi"},
            "persistentVolumeReclaimPolicy": "Delete",
            "csi": {"driver": "pd.csi.storage.gke.io", "volumeHandle": handle}}})
        self.api.call("POST", "/api/v1/namespaces/default/services", {
            "metadata": {"name": self.name}, "spec": {"ports": [{"port": 8080}]}})

    def begin(self):
        """Whatever a failed scenario has left is not the next one's affair."""
        shutil.rmtree(self.folder / "state", ignore_errors=True)
        if self.ledger()["count"]:
            self.google.control("DELETE", "project", {"project": self.project})


def through(status, text):
    """All of Google's part is done, and the step after it has found the node too small."""
    steps = {(e.get("name"), e.get("state")) for e in map(json.loads, text.splitlines()) if e.get("event") == "step"}
    return status == 5 and ("rights", "done") in steps and ("room", "failed") in steps


@pytest.fixture(scope="module")
def google(tmp_path_factory):
    # An operation runs when it is first seen and is over at the next look: then every run has the same requests.
    also = [address(n) for n in range(LANES)]
    projects = {f"lane-{n}": {"number": str(900000 + n)} for n in range(LANES)}
    with Google(tmp_path_factory.mktemp("google"), scale=3000, config={"projects": projects}, also=also) as one:
        yield one
        errors = (one.folder / "standin.err").read_text("utf-8")
    assert "Traceback" not in errors, errors


@pytest.fixture(scope="module")
def api(google):
    one = Api(google, f"sweep-{os.getpid()}")
    google.configure(backends=[{"kubeconfig": one.kubeconfig}])
    yield one
    one.down()


@pytest.fixture(scope="module")
def lanes(google, api, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lanes")
    return [Lane(google, api, n, folder) for n in range(LANES)]


@pytest.fixture(scope="module")
def length(lanes):
    """How many requests a whole `up` and a whole `down` ask of Google, and which of them write. The shortest of three:
    on a busy machine an operation may be looked at twice."""
    lane, found = lanes[0], {"up": [], "down": []}
    for verb in list(found) * 3:
        since = max((e["n"] for e in lane.google.requests()), default=0)
        if verb == "down":
            lane.clutter()
        (lane.must_come_up if verb == "up" else lane.must_go)("undisturbed")
        found[verb].append([e["write"] for e in lane.requests(since)])
    return {verb: min(runs, key=len) for verb, runs in found.items()}


def sweep(lanes, scenarios, play):
    """Plays all of them, each in a lane that is free. Every failure is told."""
    free = queue.SimpleQueue()
    for lane in lanes:
        free.put(lane)

    def one(scenario):
        lane = free.get()
        try:
            lane.begin()
            play(lane, *scenario)
            return None
        except AssertionError as e:
            return f"{scenario}: {str(e)[:3000]}"
        finally:
            free.put(lane)

    with concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool:
        failed = [f for f in pool.map(one, scenarios) if f]
    assert not failed, f"{len(failed)} of {len(scenarios)} failed:\n" + "\n\n".join(failed[:5])


def kill(lane, nth, when):
    return lane.rule(nth, signal={"pidFile": str(lane.pid), "when": when})


def killed(status, hits, nth, whole):
    """It was; or, on a busy machine, it was over a request or two earlier than others."""
    return (status, hits) == (-signal.SIGKILL, [1]) or (hits == [0] and nth > len(whole) - 3)


def moments(writes):
    """Every request: after its effect; those that write also before."""
    return [(k, when) for k, write in enumerate(writes, 1) for when in (("before", "after") if write else ("after",))]


def test_up_killed_at_any_request_goes_on_when_run_again(lanes, length):
    def play(lane, k, when):
        with kill(lane, k, when) as hits:
            status, text = lane.up()
        assert killed(status, hits, k, length["up"]), (status, hits, text)
        assert len(lane.ledger()["clusters"]) <= 1
        lane.must_come_up(f"up killed {when} {k}")
        lane.must_go(f"up killed {when} {k}")

    sweep(lanes, moments(length["up"]), play)


def test_down_right_after_an_up_that_was_killed_leaves_nothing(lanes, length):
    def play(lane, k, when):
        with kill(lane, k, when):
            lane.up()
        # Before anything was remembered there is no such environment.
        status, text = lane.down()
        assert status == 0 or (status == 2 and not lane.state().exists()), (status, text)
        lane.must_be_gone("up killed, then down")

    sweep(lanes, moments(length["up"]), play)


def test_down_killed_at_any_request_takes_the_rest_away_when_run_again(lanes, length):
    def play(lane, k, when):
        lane.must_come_up("before down")
        lane.clutter()
        with kill(lane, k, when) as hits:
            status, text = lane.down()
        assert killed(status, hits, k, length["down"]), (status, hits, text)
        if lane.state().exists():
            lane.must_go(f"down killed {when} {k}")
        lane.must_be_gone(f"down killed {when} {k}")

    sweep(lanes, moments(length["down"]), play)


def disturbances(length):
    """Each kind of fault at every request that writes; at those that only look, every second kind in turns, as one way
    through the program serves them all."""
    most = max(map(len, length.values()))
    writing = {k for writes in length.values() for k, write in enumerate(writes, 1) if write}
    return [(fault, k) for n, fault in enumerate(FAULTS) for k in range(1, most + 1) if k in writing or (n + k) % 2]


def test_faults_at_any_request_are_survived_at_once_or_when_run_again(lanes, length):
    again = []

    def play(lane, fault, k):
        story = f"{fault['preset']} at {k}"
        with lane.rule(k, **fault):
            status, text = lane.up()
        if not through(status, text):
            again.append(f"up: {story}")
            lane.must_come_up(story)
        lane.one_cluster(story)
        lane.clutter()
        with lane.rule(k, **fault):
            status, text = lane.down()
        if status:
            again.append(f"down: {story}")
            lane.must_go(story)
        lane.must_be_gone(story)

    sweep(lanes, disturbances(length), play)
    # What heals within seconds is waited out; only what is no answer, or a refused login, ends a run.
    final = ("html-ok", "empty-ok", "rate-403 at 1", "unauthenticated at 1")
    assert [a for a in again if not a.split(": ")[1].startswith(final)] == []


# --- Kubernetes


def wrote(line):
    """What a line of the audit log says that prestoctl has changed, or nothing."""
    if b'"prestoctl/' not in line:
        return ""
    e = json.loads(line)
    what = e.get("objectRef", {}).get("resource", "")
    return f"{e['verb']} {what}" if e["verb"] in WRITES and not what.startswith("selfsubject") else ""


def writes(api, since):
    with open(api.audit, "rb") as log:
        log.seek(since)
        return [w for w in map(wrote, log.read().split(b"\n")) if w]


def stopped_waiting(process):
    """Runs on until only the operator is waited for, which no node will ever run."""
    lines = []
    for line in process.stderr:
        lines.append(line)
        if '"operator-ready"' in line and '"started"' in line:
            process.send_signal(signal.SIGINT)
    process.stdout.close()
    return process.wait(60), "".join(lines)


def up_to_the_operator(lane, story):
    with lane.start("up", "-f", lane.file) as process:
        status, text = stopped_waiting(process)
    assert status == 130 and '"operator-ready"' in text, f"{story}\n{status}: {text}"


def killed_at_write(lane, api, nth):
    """How many writes were done when it died: that many, or on a busy machine one more."""
    since = api.audit.stat().st_size
    with lane.start("up", "-f", lane.file) as process:
        end = time.monotonic() + 60
        with open(api.audit, "rb") as log:
            log.seek(since)
            count, rest = 0, b""
            while process.poll() is None and count < nth:
                assert time.monotonic() < end
                rest += log.read()
                *lines, rest = rest.split(b"\n")
                count += len([line for line in lines if wrote(line)])
        process.kill()
        process.communicate()
    return len(writes(api, since))


def finished(lane, api, story):
    """The next run brings everything, the one after it writes nothing; each thing is there once, and ours."""
    up_to_the_operator(lane, story)
    since = api.audit.stat().st_size
    up_to_the_operator(lane, f"{story}, once more")
    assert writes(api, since) == [], story
    owned = [api.call("GET", path)["metadata"]["labels"]["prestoctl.io/environment"] for path in (
        f"/api/v1/namespaces/{lane.name}", f"/apis/apps/v1/namespaces/{lane.name}/deployments/presto-operator",
        f"/apis/starburstdata.com/v1/namespaces/{lane.name}/prestos/example")]
    assert owned == [lane.name] * 3, story
    lane.one_cluster(story)
    lane.must_go(story)


def test_up_killed_after_any_write_to_kubernetes_goes_on_when_run_again(lanes, api):
    lane, number = lanes[0], itertools.count()

    def fresh():
        api.call("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/prestos.starburstdata.com")
        lane.begin()
        lane.write(f"write{next(number)}")

    api.node(memory="32Gi")
    fresh()
    since = api.audit.stat().st_size
    up_to_the_operator(lane, "undisturbed")
    everything = writes(api, since)
    assert len(everything) >= 7, everything
    lane.must_go("undisturbed")
    for nth in range(1, len(everything) + 1):
        for _ in range(5):      # on a busy machine a write more slips in: that is another case, and this one is still due
            fresh()
            done = killed_at_write(lane, api, nth)
            finished(lane, api, f"killed at write {done}")
            if done == nth:
                break
        else:
            pytest.fail(f"no run could be killed right after write {nth}")
