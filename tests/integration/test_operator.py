"""The operator against a real API server without kubelets, as the service account with exactly the rights of role.yaml.

What it asks of the server is read from the audit log, so that "nothing was asked" and "these verbs" are proven."""
import base64
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import ssl
import subprocess
import time
import urllib.request
import uuid

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / os.environ.get("VARIANT", "debug")
PROGRAM = os.environ.get("PRESTO_OPERATOR", str(BUILD / "presto-operator"))
DEVCLUSTER = ROOT / "scripts/devcluster/devcluster"
IMAGE = "localhost/presto-operator:test"
USER = "system:serviceaccount:default:presto-operator"
CORE, APPS = "/api/v1/namespaces/default", "/apis/apps/v1/namespaces/default"
GROUPS = {"configmap": CORE, "service": CORE, "pod": CORE, "event": CORE, "deployment": APPS,
          "presto": "/apis/starburstdata.com/v1/namespaces/default"}
WRITES = {"create", "update", "patch", "delete", "deletecollection"}


class Cluster:
    def __init__(self, name, folder):
        done = subprocess.run([DEVCLUSTER, "status", "--name", name, "--output", "json"], check=True, capture_output=True,
                              text=True)
        state = json.loads(done.stdout.splitlines()[-1])
        self.name, self.folder = name, folder
        self.kubeconfig, self.audit = state["kubeconfig"], pathlib.Path(state["audit_log"])
        self.operator = None
        self.connect()

    def connect(self):
        """Plain requests: a kubectl for each look would cost more than all that is tested here."""
        config = yaml.safe_load(pathlib.Path(self.kubeconfig).read_text("utf-8"))
        user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]
        files = {}
        for key, value in (("ca", cluster["certificate-authority-data"]), ("cert", user["client-certificate-data"]),
                           ("key", user["client-key-data"])):
            files[key] = self.folder / key
            files[key].write_bytes(base64.b64decode(value))
            files[key].chmod(0o600)
        self.host = cluster["server"].removeprefix("https://")
        self.tls = ssl.create_default_context(cafile=files["ca"])
        self.tls.load_cert_chain(files["cert"], files["key"])

    def ask(self, method, path, body=None, kind="application/json", fine=()):
        connection = http.client.HTTPSConnection(self.host, context=self.tls, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": kind})
            reply = connection.getresponse()
            answer = json.loads(reply.read())
            assert reply.status < 300 or reply.status in fine, answer
            return answer if reply.status < 300 else None
        finally:
            connection.close()

    def kubectl(self, *args):
        return subprocess.run([DEVCLUSTER, "kubectl", "--name", self.name, *args], check=True, capture_output=True,
                              text=True, timeout=60).stdout

    def get(self, kind, name):
        return self.ask("GET", f"{GROUPS[kind]}/{kind}s/{name}", fine=(404,))

    def list(self, kind, selector):
        return self.ask("GET", f"{GROUPS[kind]}/{kind}s?{selector}")["items"]

    def create(self, obj):
        kind = obj["kind"].lower()
        return self.ask("POST", f"{GROUPS[kind]}/{kind}s", obj)

    def patch(self, kind, name, patch, sub=""):
        return self.ask("PATCH", f"{GROUPS[kind]}/{kind}s/{name}{sub}", patch, "application/merge-patch+json")

    def delete(self, kind, name):
        return self.ask("DELETE", f"{GROUPS[kind]}/{kind}s/{name}", fine=(404,))

    def mark(self):
        """Where the audit log ends now."""
        time.sleep(0.3)
        return self.audit.stat().st_size

    def requests(self, since, user=USER):
        """(verb, resource, name, code) of what a user asked since then, without watches that just went on."""
        time.sleep(0.3)
        out = []
        with open(self.audit, encoding="utf-8") as log:
            log.seek(since)
            for line in log:
                with contextlib.suppress(ValueError):
                    event = json.loads(line)
                    ref = event.get("objectRef", {})
                    if event["user"]["username"] == user and event["stage"] == "ResponseComplete" and event["verb"] != "watch":
                        resource = "/".join(filter(None, (ref.get("resource"), ref.get("subresource"))))
                        out.append((event["verb"], resource, ref.get("name"), event.get("responseStatus", {}).get("code")))
        return out

    def asked(self, since):
        """The same without Events, which are counted up at their own pace."""
        return [one for one in self.requests(since) if one[1] != "events"]

    def writes(self, since):
        """What changed something: a refused write is a question."""
        return [one for one in self.asked(since) if one[0] in WRITES and one[3] < 400]


def operator_kubeconfig(cluster):
    config = yaml.safe_load(pathlib.Path(cluster.kubeconfig).read_text("utf-8"))
    token = cluster.kubectl("create", "token", "presto-operator", "--duration=2h").strip()
    config["users"] = [{"name": "sa", "user": {"token": token}}]
    config["contexts"][0]["context"]["user"] = "sa"
    path = cluster.folder / "operator.kubeconfig"
    path.write_text(yaml.safe_dump(config), "utf-8")
    path.chmod(0o600)
    return path


class Operator:
    def __init__(self, cluster, image=IMAGE):
        self.log = cluster.folder / f"operator-{uuid.uuid4().hex[:6]}.log"
        self.port = None
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "--kubeconfig", operator_kubeconfig(cluster), "--metrics-addr", "127.0.0.1:0", "--log-format", "json"],
                env={"PATH": "/usr/bin", "WATCH_NAMESPACE": "default", "OPERATOR_IMAGE": image, "POD_NAME": "operator-test"},
                stdout=log, stderr=log)
        until(lambda: "Presto resource(s)" in self.text() or self.process.poll() is not None)
        assert self.process.poll() is None, self.text()

    def text(self):
        return self.log.read_text("utf-8", errors="replace")

    def stop(self):
        """Ends it as kubelet does; a leak or a complaint of the sanitizers fails here."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        assert code == 0, self.text()
        assert "ERROR: " not in self.text()


def until(fn, seconds=40, pause=0.05):
    end = time.monotonic() + seconds
    while True:
        value = fn()
        if value:
            return value
        assert time.monotonic() < end, "not in time"
        time.sleep(pause)


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory):
    name, cluster = "operator-" + uuid.uuid4().hex[:6], None
    try:
        subprocess.run([DEVCLUSTER, "up", "--control-plane-only", "--with-controllers", "--name", name], check=True, timeout=600)
        cluster = Cluster(name, tmp_path_factory.mktemp("operator"))
        for manifest in ("crd", "service_account", "role", "role_binding"):
            cluster.kubectl("apply", "--server-side", "-f", str(ROOT / f"presto/manifests/{manifest}.yaml"))
        cluster.kubectl("wait", "--for=condition=Established", "crd/prestos.starburstdata.com", "--timeout=30s")
        yield cluster
        halt(cluster)
    finally:
        if cluster and cluster.operator:
            cluster.operator.process.kill()
        subprocess.run([DEVCLUSTER, "down", "--name", name], check=True, timeout=120)


@pytest.fixture(name="running")
def _running(cluster):
    """One operator serves all tests that do not want their own."""
    if not cluster.operator:
        cluster.operator = Operator(cluster)
    return cluster.operator


def halt(cluster):
    operator, cluster.operator = cluster.operator, None
    if operator:
        operator.stop()


@pytest.fixture(name="presto")
def _presto(cluster, running):  # pylint: disable=unused-argument
    name = "p" + uuid.uuid4().hex[:6]
    yield make(cluster, name)
    cluster.delete("presto", name)  # the garbage collector may take its time: names are never used again


def make(cluster, name, **spec):
    cluster.create(presto_of(name, **spec))
    until(lambda: (cluster.get("presto", name) or {}).get("status"))
    settle(cluster)
    return name


def presto_of(name, **spec):
    base = {"nameOverride": name, "image": {"name": "localhost/presto", "tag": "312"},
            "coordinator": {"cpuRequest": "0.1", "memoryAllocation": "1024Mi"},
            "worker": {"cpuRequest": "0.1", "memoryAllocation": "1Gi"}}
    return {"apiVersion": "starburstdata.com/v1", "kind": "Presto", "metadata": {"name": name, "namespace": "default"},
            "spec": {**base, **spec}}


def children(name):
    return {("configmap", f"presto-config-{name}"), ("configmap", f"presto-catalog-{name}"),
            ("service", f"presto-coordinator-{name}"), ("deployment", f"presto-coordinator-{name}"),
            ("deployment", f"presto-worker-{name}")}


def settle(cluster, quiet=1.0):
    """Waits until the operator has asked nothing for a while."""
    size = cluster.mark()
    while True:
        time.sleep(quiet)
        if not cluster.asked(size):
            return
        size = cluster.mark()


def condition(obj, kind):
    return next((c for c in obj.get("status", {}).get("conditions", []) if c["type"] == kind), {})


def edit(cluster, name, patch):
    cluster.patch("presto", name, patch)


def test_children_are_made_with_names_labels_and_owner(cluster, presto):
    owner = cluster.get("presto", presto)
    for kind, name in children(presto):
        meta = cluster.get(kind, name)["metadata"]
        assert meta["labels"]["instance"] == presto
        assert meta["labels"]["app.kubernetes.io/managed-by"] == "presto-operator"
        ref = meta["ownerReferences"]
        assert [(r["uid"], r["controller"], r["kind"]) for r in ref] == [(owner["metadata"]["uid"], True, "Presto")]
    status = owner["status"]
    assert status["observedGeneration"] == 1
    assert status["name"] == presto
    assert condition(owner, "Accepted")["status"] == "True"
    assert condition(owner, "Ready")["status"] == "False"
    assert condition(owner, "Progressing")["status"] == "True"
    until(lambda: "Created" in [e["reason"] for e in cluster.list("event", f"fieldSelector=involvedObject.name={presto}")])


def test_a_resource_without_override_gets_a_unique_name(cluster, running):  # pylint: disable=unused-argument
    name = "u" + uuid.uuid4().hex[:6]
    obj = presto_of(name)
    del obj["spec"]["nameOverride"]
    cluster.create(obj)
    try:
        full = until(lambda: cluster.get("presto", name).get("status", {}).get("name"))
        assert re.fullmatch(name + "-[0-9a-z]{10}", full)
        until(lambda: cluster.get("deployment", f"presto-worker-{full}"))
    finally:
        cluster.delete("presto", name)


def test_creation_costs_few_requests(cluster, running):  # pylint: disable=unused-argument
    since = cluster.mark()
    name = make(cluster, "few")
    try:
        asked = cluster.asked(since)
        assert all(one[0] == "patch" for one in asked), asked
        assert len(asked) <= 5 + 4, asked  # children, and the status as the Deployments' own status comes in
    finally:
        cluster.delete("presto", name)


def test_events_that_change_nothing_cost_no_request(cluster, presto):
    since = cluster.mark()
    for kind, name in children(presto):
        cluster.patch(kind, name, {"metadata": {"annotations": {"somebody/else": "1"}}})
    cluster.patch("presto", presto, {"metadata": {"annotations": {"somebody/else": "1"}, "labels": {"team": "a"}}})
    settle(cluster)
    assert not cluster.asked(since)


@pytest.mark.parametrize("kind, prefix", [("configmap", "presto-config"), ("configmap", "presto-catalog"),
                                          ("service", "presto-coordinator"), ("deployment", "presto-worker"),
                                          ("deployment", "presto-coordinator")])
def test_a_deleted_child_comes_back_by_one_write(cluster, presto, kind, prefix):
    name = f"{prefix}-{presto}"
    old, since = cluster.get(kind, name)["metadata"]["uid"], cluster.mark()
    cluster.delete(kind, name)
    until(lambda: (cluster.get(kind, name) or {"metadata": {"uid": old}})["metadata"]["uid"] != old)
    settle(cluster)
    assert [one for one in cluster.writes(since) if one[1] != "prestos/status"] == [("patch", kind + "s", name, 201)]


@pytest.mark.parametrize("kind, prefix, patch", [
    ("configmap", "presto-catalog", {"data": {"tpch.properties": "connector.name=blackhole\n"}}),
    ("configmap", "presto-catalog", {"data": {"tpch.properties": None}}),
    ("configmap", "presto-config", {"data": {"stranger": "x"}}),
    ("configmap", "presto-config", {"metadata": {"labels": {"role": "x"}}}),
    ("configmap", "presto-config", {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}),
    ("service", "presto-coordinator", {"spec": {"selector": {"role": "worker"}}}),
    ("service", "presto-coordinator", {"spec": {"ports": [{"name": "http", "port": 8080, "targetPort": 9999}]}}),
    ("deployment", "presto-worker", {"spec": {"replicas": 5}}),
    ("deployment", "presto-worker", {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}}),
    ("deployment", "presto-coordinator", {"metadata": {"annotations": {"starburstdata.com/intent": "x"}}}),
    ("deployment", "presto-coordinator", {"metadata": {"annotations": {"starburstdata.com/intent": None}}}),
], ids=lambda v: json.dumps(v).replace(" ", "") if isinstance(v, dict) else v)
def test_an_edited_child_comes_back_by_one_write(cluster, presto, kind, prefix, patch):
    name = f"{prefix}-{presto}"

    def ours():
        obj = cluster.get(kind, name)
        meta = {key: obj["metadata"].get(key) for key in ("labels", "ownerReferences")}
        meta["intent"] = obj["metadata"]["annotations"].get("starburstdata.com/intent")
        return meta, obj.get("data"), obj.get("spec")

    before, since = ours(), cluster.mark()
    cluster.patch(kind, name, patch)
    until(lambda: ours() == before)
    settle(cluster)
    assert [one for one in cluster.writes(since) if one[1] != "prestos/status"] == [("patch", kind + "s", name, 200)]


def test_a_wanted_and_a_foreign_key_changed_at_once_are_both_set_right(cluster, presto):
    name = f"presto-config-{presto}"
    right = cluster.get("configmap", name)["data"]
    for _ in range(10):     # the event of the first write comes before its reply, or after it
        cluster.patch("configmap", name, {"data": {next(iter(right)): "edited", "stranger": "x"}})
        until(lambda: cluster.get("configmap", name)["data"] == right, 5)


def test_scaling_writes_the_worker_only_and_rolls_nothing(cluster, presto):
    name = f"presto-worker-{presto}"
    before, since = cluster.get("deployment", name)["spec"]["template"], cluster.mark()
    edit(cluster, presto, {"spec": {"worker": {"count": 3}}})
    until(lambda: cluster.get("deployment", name)["spec"]["replicas"] == 3)
    settle(cluster)
    assert [one for one in cluster.writes(since) if one[1] != "prestos/status"] == [("patch", "deployments", name, 200)]
    assert cluster.get("deployment", name)["spec"]["template"] == before
    obj = cluster.get("presto", presto)
    assert obj["status"]["observedGeneration"] == obj["metadata"]["generation"] == 2


def test_a_catalog_that_is_removed_goes_and_both_roles_roll(cluster, presto):
    def checksums():
        return [cluster.get("deployment", f"presto-{role}-{presto}")["spec"]["template"]["metadata"]["annotations"]
                ["starburstdata.com/checksum"] for role in ("coordinator", "worker")]

    first = checksums()
    edit(cluster, presto, {"spec": {"additionalCatalogs": {"memory": "connector.name=memory\n"}}})
    until(lambda: set(cluster.get("configmap", f"presto-catalog-{presto}")["data"]) == {"tpch.properties", "memory.properties"})
    until(lambda: all(a != b for a, b in zip(first, checksums())))
    edit(cluster, presto, {"spec": {"additionalCatalogs": {"memory": None}}})
    until(lambda: set(cluster.get("configmap", f"presto-catalog-{presto}")["data"]) == {"tpch.properties"})
    until(lambda: checksums() == first)


def test_fields_that_are_no_longer_wanted_are_taken_out(cluster, presto):
    name = f"presto-worker-{presto}"
    edit(cluster, presto, {"spec": {"worker": {"nodeSelector": {"disk": "fast"}, "cpuLimit": "2"}}})
    until(lambda: cluster.get("deployment", name)["spec"]["template"]["spec"].get("nodeSelector") == {"disk": "fast"})
    edit(cluster, presto, {"spec": {"worker": {"nodeSelector": None, "cpuLimit": None}}})
    until(lambda: "nodeSelector" not in cluster.get("deployment", name)["spec"]["template"]["spec"])
    assert "cpu" not in cluster.get("deployment", name)["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]


def test_a_renamed_service_is_made_before_the_old_one_goes(cluster, presto):
    edit(cluster, presto, {"spec": {"service": {"name": "front-" + presto, "type": "NodePort", "nodePort": 30000 + os.getpid() % 2000}}})
    new = until(lambda: cluster.get("service", f"presto-coordinator-front-{presto}"))
    assert new["spec"]["type"] == "NodePort"
    until(lambda: not cluster.get("service", f"presto-coordinator-{presto}"))
    until(lambda: cluster.get("presto", presto)["status"]["service"] == f"presto-coordinator-front-{presto}")
    config = cluster.get("configmap", f"presto-config-{presto}")["data"]
    assert f"discovery.uri=http://presto-coordinator-front-{presto}:8080\n" in config["worker.config.properties"]
    edit(cluster, presto, {"spec": {"service": {"type": None, "nodePort": None}}})
    until(lambda: cluster.get("service", f"presto-coordinator-front-{presto}")["spec"]["type"] == "ClusterIP")


def test_an_object_of_somebody_else_is_left_alone(cluster, running):  # pylint: disable=unused-argument
    name = "taken" + uuid.uuid4().hex[:4]
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"presto-catalog-{name}", "namespace": "default"},
              "data": {"theirs": "1"}}
    cluster.create(theirs)
    cluster.create(presto_of(name))
    try:
        obj = until(lambda: condition(cluster.get("presto", name), "NameTaken") and cluster.get("presto", name))
        assert condition(obj, "NameTaken")["message"] == f"ConfigMap presto-catalog-{name} is there already and is not this cluster's"
        assert condition(obj, "Ready")["reason"] == "NameTaken"
        assert cluster.get("configmap", f"presto-catalog-{name}")["data"] == {"theirs": "1"}
        assert not cluster.get("deployment", f"presto-worker-{name}")
        cluster.delete("configmap", f"presto-catalog-{name}")
        until(lambda: cluster.get("deployment", f"presto-worker-{name}"), seconds=60)
        until(lambda: not condition(cluster.get("presto", name), "NameTaken"))
    finally:
        cluster.delete("presto", name)


def test_two_resources_with_one_name_do_not_fight(cluster, presto):
    second = presto + "-b"
    obj = presto_of(second)
    obj["spec"]["nameOverride"] = presto
    cluster.create(obj)
    try:
        found = until(lambda: condition(cluster.get("presto", second), "NameTaken"))
        assert f"belongs to the Presto resource {presto}" in found["message"]
        settle(cluster)
        since = cluster.mark()
        time.sleep(2)
        assert not cluster.writes(since)
    finally:
        cluster.delete("presto", second)
    settle(cluster)
    assert all(cluster.get(*child) for child in children(presto))


def test_what_we_refuse_is_told_and_the_children_stay(cluster, presto):
    edit(cluster, presto, {"spec": {"worker": {"additionalProperties": "http-server.http.port=9\n"}}})
    obj = until(lambda: condition(cluster.get("presto", presto), "Accepted").get("status") == "False" and cluster.get("presto", presto))
    assert "http-server.http.port" in condition(obj, "Accepted")["message"]
    assert condition(obj, "Ready")["reason"] == "Invalid"
    assert all(cluster.get(*child) for child in children(presto))
    edit(cluster, presto, {"spec": {"worker": {"additionalProperties": None}}})
    until(lambda: condition(cluster.get("presto", presto), "Accepted")["status"] == "True")


@pytest.mark.parametrize("spec, said", [
    ({"worker": {"nodeSelector": {"bad key!": "x"}}}, "Invalid value"),
    ({"worker": {"affinity": {"nonsense": 1}}}, "nonsense"),
], ids=["422", "unknown-field"])
def test_what_the_server_refuses_is_told_with_its_words(cluster, presto, spec, said):
    edit(cluster, presto, {"spec": spec})
    obj = until(lambda: condition(cluster.get("presto", presto), "Accepted").get("status") == "False" and cluster.get("presto", presto))
    assert condition(obj, "Accepted")["reason"] in ("Refused", "Invalid")
    assert said in condition(obj, "Accepted")["message"]


def test_deleting_the_resource_leaves_nothing(cluster, running):  # pylint: disable=unused-argument
    name = make(cluster, "gone" + uuid.uuid4().hex[:4])
    since = cluster.mark()
    cluster.delete("presto", name)
    for child in children(name):
        until(lambda c=child: not cluster.get(*c))
    assert not [one for one in cluster.writes(since) if one[2] and name in one[2]]


def test_words_name_the_pods_trouble(cluster, presto):
    """No kubelet runs here: a pod's status is written in its place."""
    pod = until(lambda: cluster.list("pod", f"labelSelector=instance%3D{presto},role%3Dcoordinator"))[0]["metadata"]["name"]
    status = {"status": {"containerStatuses": [{"name": "presto-coordinator", "image": "x", "imageID": "", "ready": False,
                                                "restartCount": 0,
                                                "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]}}
    cluster.patch("pod", pod, status, "/status")
    want = f"coordinator pod {pod}: ImagePullBackOff: no such image"
    until(lambda: condition(cluster.get("presto", presto), "Ready").get("message") == want)
    assert condition(cluster.get("presto", presto), "Progressing")["status"] == "False"


def test_restarts_and_newer_images_write_nothing(cluster):
    halt(cluster)
    first = Operator(cluster)
    names = [make(cluster, f"restart{i}") for i in range(3)]
    first.stop()
    since = cluster.mark()
    second = Operator(cluster, image="localhost/presto-operator:newer")
    settle(cluster)
    second.stop()
    assert not cluster.writes(since)
    assert len(cluster.requests(since)) <= 30
    for name in names:
        cluster.delete("presto", name)


def test_what_changed_while_it_was_down_is_made_up_for(cluster):
    halt(cluster)
    name = "down" + uuid.uuid4().hex[:4]
    first = Operator(cluster)
    make(cluster, name, additionalCatalogs={"memory": "connector.name=memory\n"})
    first.stop()
    cluster.delete("service", f"presto-coordinator-{name}")
    cluster.patch("configmap", f"presto-catalog-{name}", {"data": {"x": "y"}})
    edit(cluster, name, {"spec": {"worker": {"count": 4}, "additionalCatalogs": None}})
    second = Operator(cluster)
    try:
        until(lambda: cluster.get("service", f"presto-coordinator-{name}"))
        until(lambda: set(cluster.get("configmap", f"presto-catalog-{name}")["data"]) == {"tpch.properties"})
        until(lambda: cluster.get("deployment", f"presto-worker-{name}")["spec"]["replicas"] == 4)
    finally:
        second.stop()
        cluster.delete("presto", name)


def test_health_and_metrics_answer(cluster, tmp_path):
    port = 20000 + os.getpid() % 10000
    kubeconfig = operator_kubeconfig(cluster)
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen([PROGRAM, "--kubeconfig", kubeconfig, "--metrics-addr", f"127.0.0.1:{port}", "--image", IMAGE,
                                    "--namespace", "default"], stderr=log)

    def page(path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except OSError:
            return 0, ""

    try:
        until(lambda: page("/readyz")[0] == 200)
        assert page("/healthz") == (200, "ok\n")
        assert page("/nothing")[0] == 404
        text = page("/metrics")[1]
        for name in ("reconciles_total", "reconcile_errors_total", "queue_depth", "api_requests_total", "prestos", "build_info"):
            assert re.search(rf"^presto_operator_{name}(\{{.*\}})? \d+$", text, re.M), name
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_rights_are_exactly_those_that_are_used(cluster, running):  # pylint: disable=unused-argument
    """Runs last: everything above is in the audit log. Nothing was forbidden, and no right was left unused."""
    role = yaml.safe_load((ROOT / "presto/manifests/role.yaml").read_text("utf-8"))
    granted = {(verb, resource) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    used = set()
    with open(cluster.audit, encoding="utf-8") as log:
        for line in log:
            event = json.loads(line)
            ref = event.get("objectRef", {})
            if event["user"]["username"] != USER or not ref.get("resource"):
                continue
            assert event.get("responseStatus", {}).get("code") != 403, event
            resource = "/".join(filter(None, (ref["resource"], ref.get("subresource"))))
            used.add((event["verb"], resource))
            if event["verb"] == "patch" and event.get("responseStatus", {}).get("code") == 201:
                used.add(("create", resource))  # the server asks for both when an apply makes the object
    # Asked for by an admission plugin that not every cluster runs; and looks at kinds that were not in anybody's way here.
    admission = {("update", "prestos/finalizers")}
    same_code = {(verb, kind) for verb in ("get", "delete") for kind in ("configmaps", "services", "deployments")}
    assert used <= granted
    assert granted - used - admission - same_code == set()
    assert {("get", "configmaps"), ("delete", "services")} <= used
