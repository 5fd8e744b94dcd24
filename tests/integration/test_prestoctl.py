"""prestoctl against a real API server without nodes: every step up to the operator, and what each refusal leaves."""
import collections
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / os.environ.get("VARIANT", "debug")
PRESTOCTL = BUILD / "prestoctl"
DEVCLUSTER = ROOT / "scripts/devcluster/devcluster"
CRD = "prestos.starburstdata.com"
LABEL = "prestoctl.io/environment"
WRITES = {"create", "update", "patch", "delete", "deletecollection"}


class Cluster:
    def __init__(self, name):
        self.name = name
        done = subprocess.run([DEVCLUSTER, "up", "--control-plane-only", "--with-controllers", "--name", name,
                               "--output", "json"], capture_output=True, text=True, timeout=300, check=True)
        self.facts = json.loads(done.stdout.splitlines()[-1])
        self.kubeconfig = self.facts["kubeconfig"]
        self.audit = pathlib.Path(self.facts["audit_log"])

    def kubectl(self, *args, text=None, check=True):
        return subprocess.run([DEVCLUSTER, "kubectl", "--name", self.name, *args], input=text, capture_output=True,
                              text=True, timeout=60, check=check)

    def get(self, *args):
        done = self.kubectl("get", *args, "-o", "json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def requests(self, since):
        """{(verb, resource, name): count} of prestoctl's requests after a place in the audit log."""
        time.sleep(0.3)
        seen = collections.Counter()
        with open(self.audit, encoding="utf-8") as log:
            log.seek(since)
            for line in log:
                event = json.loads(line)
                if event.get("userAgent", "").startswith("prestoctl/") and event["stage"] == "ResponseComplete":
                    what = event.get("objectRef", {})
                    seen[(event["verb"], what.get("resource"), what.get("name"))] += 1
        return seen

    def place(self):
        return self.audit.stat().st_size


@pytest.fixture(scope="module")
def cluster():
    one = Cluster(f"pctl-{os.getpid()}")
    yield one
    subprocess.run([DEVCLUSTER, "down", "--name", one.name], capture_output=True, timeout=120, check=False)


class Registry(http.server.BaseHTTPRequestHandler):
    """Knows the images whose tag is 1."""

    def do_HEAD(self):
        self.send_response(200 if self.path.endswith("/manifests/1") else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def registry():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()


class Bench:
    """One environment in a folder of its own."""

    def __init__(self, cluster, registry, folder, name):
        self.cluster, self.folder, self.name = cluster, folder, name
        self.file = folder / "env.yaml"
        self.doc = {
            "apiVersion": "prestoctl/v1", "kind": "Environment", "name": name,
            "cluster": {"provider": "existing", "existing": {"kubeconfig": cluster.kubeconfig}},
            "operator": {"image": f"{registry}/presto-operator:1"},
            "presto": {"metadata": {"name": "example"}, "spec": {
                "image": {"name": f"{registry}/presto", "tag": "1"},
                "coordinator": {"cpuRequest": "1", "memoryAllocation": "1Gi"},
                "worker": {"count": 2, "cpuRequest": "1", "memoryAllocation": "1Gi"}}},
        }
        self.write()

    def write(self):
        self.file.write_text(yaml.safe_dump(self.doc, sort_keys=False), "utf-8")

    def env(self):
        return dict(os.environ, XDG_STATE_HOME=str(self.folder / "state"), HOME=str(self.folder))

    def run(self, *args, timeout=60):
        return subprocess.run([PRESTOCTL, *args], env=self.env(), capture_output=True, text=True, timeout=timeout,
                              check=False)

    def up(self, seconds=3):
        """No node, so it ends at the operator: that is as far as this goes."""
        done = self.run("up", "-f", self.file, "--timeout", f"{seconds}s", "--output", "json")
        return done, [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]

    def make(self):
        """Everything that there is without nodes, however slow the machine; ends where the waiting begins."""
        events = []
        with subprocess.Popen([PRESTOCTL, "up", "-f", self.file, "--timeout", "60s", "--output", "json"],
                              env=self.env(), stderr=subprocess.PIPE, text=True) as run:
            for line in run.stderr:
                events.append(json.loads(line))
                if (events[-1].get("name"), events[-1].get("state")) == ("operator-ready", "started"):
                    run.send_signal(signal.SIGINT)
        assert run.returncode == 130 and "presto" in done_steps(events), events
        return events

    def state(self):
        return self.folder / "state/prestoctl" / self.name / "state.json"


@pytest.fixture
def bench(cluster, registry, tmp_path, request):
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:28].strip("-")
    one = Bench(cluster, registry, tmp_path, name)
    yield one
    one.run("down", "-f", one.file, "--timeout", "60s", timeout=90)


def done_steps(events):
    return [e["name"] for e in events if e.get("event") == "step" and e["state"] == "done"]


def writes(seen):
    return {k: n for k, n in seen.items() if k[0] in WRITES and k[1] != "selfsubjectaccessreviews"}


def test_up_makes_everything_and_tells_what_it_waited_for(bench, cluster):
    done, events = bench.up(seconds=8)
    assert done.returncode == 3, done.stderr
    assert done_steps(events) == ["cluster", "api", "rights", "room", "images", "namespace", "crd", "service-account",
                                  "role", "role-binding", "operator", "crd-established", "presto"]
    error = events[-1]
    assert error["event"] == "error" and error["exit"] == 3 and error["code"] == "timeout"
    assert "0 of 1 pods" in error["message"] and "pod presto-operator-" in error["detail"]
    for kind in ("serviceaccount", "role", "rolebinding", "deployment"):
        assert cluster.get(kind, "presto-operator", "-n", bench.name)["metadata"]["labels"][LABEL] == bench.name
    assert cluster.get("namespace", bench.name)["metadata"]["labels"][LABEL] == bench.name
    presto = cluster.get("presto", "example", "-n", bench.name)
    assert presto["spec"]["worker"]["count"] == 2
    assert stat.S_IMODE(bench.state().stat().st_mode) == 0o600
    text = bench.state().read_text("utf-8")
    assert "BEGIN" not in text and "token" not in text


def test_a_second_up_writes_nothing(bench, cluster):
    bench.make()
    place = cluster.place()
    events = bench.make()
    seen = cluster.requests(place)
    assert seen and not writes(seen), seen
    assert not any(k[1] == "selfsubjectaccessreviews" for k in seen), (seen, events)


def test_a_changed_or_dropped_field_is_one_patch(bench, cluster):
    bench.doc["presto"]["spec"]["environment"] = "one"
    bench.write()
    bench.make()
    bench.doc["presto"]["spec"]["worker"]["count"] = 3
    bench.write()
    plan = json.loads(bench.run("plan", "-f", bench.file, "--output", "json").stdout)
    assert plan["changes"] == 1 and plan["objects"][6]["why"] == "spec.worker.count: 2, not 3"
    place = cluster.place()
    bench.make()
    assert writes(cluster.requests(place)) == {("patch", "prestos", "example"): 1}
    del bench.doc["presto"]["spec"]["environment"]
    bench.write()
    bench.make()
    spec = cluster.get("presto", "example", "-n", bench.name)["spec"]
    assert "environment" not in spec and spec["worker"]["count"] == 3


def test_drift_is_put_right(bench, cluster):
    bench.make()
    cluster.kubectl("scale", "deployment/presto-operator", "--replicas=0", "-n", bench.name)
    cluster.kubectl("delete", "rolebinding/presto-operator", "-n", bench.name)
    bench.make()
    assert cluster.get("deployment", "presto-operator", "-n", bench.name)["spec"]["replicas"] == 1
    assert cluster.get("rolebinding", "presto-operator", "-n", bench.name)


def test_plan_writes_nothing_anywhere(bench, cluster):
    place = cluster.place()
    done = bench.run("plan", "-f", bench.file, "--output", "json")
    assert done.returncode == 0 and json.loads(done.stdout)["changes"] >= 6
    assert not writes(cluster.requests(place))
    assert not bench.state().parent.exists()


STEPS = ["api", "rights", "images", "namespace", "crd", "service-account", "role", "role-binding", "operator",
         "crd-established", "presto", "operator-ready"]


def test_killed_at_any_step_it_goes_on(bench, cluster):
    for step in STEPS:
        with subprocess.Popen([PRESTOCTL, "up", "-f", bench.file, "--timeout", "10s", "--output", "json"],
                              env=bench.env(), stderr=subprocess.PIPE, text=True) as run:
            for line in run.stderr:
                if f'"name":"{step}","state":"started"' in line:
                    run.kill()
                    break
        if bench.state().exists():
            json.loads(bench.state().read_text("utf-8"))
    bench.make()
    place = cluster.place()
    bench.make()
    assert not writes(cluster.requests(place))


def test_a_second_run_is_refused_while_one_works(bench):
    with subprocess.Popen([PRESTOCTL, "up", "-f", bench.file, "--timeout", "20s", "--output", "json"],
                          env=bench.env(), stderr=subprocess.PIPE, text=True) as run:
        for line in run.stderr:
            if '"name":"operator-ready","state":"started"' in line:
                break
        done = bench.run("up", "-f", bench.file)
        assert done.returncode == 1 and "another prestoctl is working" in done.stderr
        run.send_signal(signal.SIGINT)
        rest = run.stderr.read()
        assert run.wait(10) == 130
        assert json.loads(rest.splitlines()[-1])["exit"] == 130


def test_down_leaves_nothing(bench, cluster):
    bench.make()
    done = bench.run("down", bench.name, "--timeout", "60s", timeout=90)
    assert done.returncode == 0, done.stderr
    assert cluster.get("namespace", bench.name) is None and cluster.get("crd", CRD) is None
    assert not bench.state().parent.exists()
    done = bench.run("down", "-f", bench.file)
    assert done.returncode == 0, done.stderr


def test_down_works_without_what_was_remembered(bench, cluster):
    bench.make()
    bench.state().unlink()
    done = bench.run("down", "-f", bench.file, "--timeout", "60s", timeout=90)
    assert done.returncode == 0, done.stderr
    assert cluster.get("namespace", bench.name) is None and cluster.get("crd", CRD) is None


def test_down_leaves_what_others_made_or_need(bench, cluster):
    cluster.kubectl("create", "namespace", bench.name)
    other = bench.name[:20] + "-other"
    cluster.kubectl("create", "namespace", other)
    try:
        bench.make()
        cluster.kubectl("apply", "-f", "-", "-n", other,
                        text="{apiVersion: starburstdata.com/v1, kind: Presto, metadata: {name: theirs}}")
        done = bench.run("down", "-f", bench.file, "--timeout", "60s", timeout=90)
        assert done.returncode == 0, done.stderr
        assert re.search(r"stays: CustomResourceDefinition .*: Presto theirs in namespace", done.stdout)
        assert re.search(r"stays: Namespace .* not made for this environment", done.stdout)
        assert cluster.get("crd", CRD) and cluster.get("namespace", bench.name)
        assert cluster.get("deployment", "presto-operator", "-n", bench.name) is None
    finally:
        cluster.kubectl("delete", "namespace", bench.name, other)
        cluster.kubectl("delete", "crd", CRD)


def test_a_newer_type_is_not_downgraded(bench, cluster):
    bench.make()
    cluster.kubectl("annotate", "crd", CRD, "prestoctl.io/version=99.0.0", "--overwrite")
    place = cluster.place()
    plan = json.loads(bench.run("plan", "-f", bench.file, "--output", "json").stdout)
    assert plan["objects"][1] == {"action": "keep", "kind": "CustomResourceDefinition", "name": CRD,
                                  "why": "is of the newer version 99.0.0"}
    bench.make()
    assert not writes(cluster.requests(place))


def test_another_environments_operator_is_not_taken_over(bench, tmp_path):
    bench.make()
    second = dict(bench.doc, name="second")
    second["operator"] = dict(bench.doc["operator"], namespace=bench.name)
    file = tmp_path / "second.yaml"
    file.write_text(yaml.safe_dump(second), "utf-8")
    done = bench.run("up", "-f", file, "--timeout", "10s")
    assert done.returncode == 1 and f"belongs to the environment '{bench.name}'" in done.stderr


def limited_kubeconfig(cluster, folder, rules):
    """A service account that may do just this."""
    cluster.kubectl("create", "serviceaccount", "limited")
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "limited"},
            "rules": rules}
    cluster.kubectl("apply", "-f", "-", text=json.dumps(role))
    cluster.kubectl("create", "clusterrolebinding", "limited", "--clusterrole=limited", "--serviceaccount=default:limited")
    token = cluster.kubectl("create", "token", "limited").stdout.strip()
    config = yaml.safe_load(pathlib.Path(cluster.kubeconfig).read_text("utf-8"))
    config["users"][0]["user"] = {"token": token}
    path = folder / "limited"
    path.write_text(yaml.safe_dump(config), "utf-8")
    return path, token


def test_missing_rights_are_told_before_anything_is_made(bench, cluster, tmp_path):
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
             {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["create", "patch"]}]
    try:
        path, token = limited_kubeconfig(cluster, tmp_path, rules)
        bench.doc["cluster"]["existing"]["kubeconfig"] = str(path)
        bench.write()
        place = cluster.place()
        done, events = bench.up()
        assert done.returncode == 4, done.stderr
        assert "missing: create roles.rbac.authorization.k8s.io in namespace" in events[-1]["detail"]
        assert "missing: create deployments.apps" in events[-1]["detail"]
        assert "create namespaces" not in events[-1]["detail"]
        assert not writes(cluster.requests(place))
        assert cluster.get("namespace", bench.name) is None
        assert token not in done.stderr and token not in bench.state().read_text("utf-8")
    finally:
        cluster.kubectl("delete", "clusterrolebinding/limited", "clusterrole/limited", "serviceaccount/limited")
        bench.doc["cluster"]["existing"]["kubeconfig"] = cluster.kubeconfig
        bench.write()


def test_an_image_that_no_registry_has_is_refused_before_anything_is_made(bench, cluster, registry):
    for image, words in ((f"{registry}/presto-operator:2", "does not have it"),
                         ("localhost/presto-operator:1", "no registry has names that begin with localhost/")):
        bench.doc["operator"]["image"] = image
        bench.write()
        place = cluster.place()
        done, events = bench.up()
        assert done.returncode == 1 and image in events[-1]["message"] and words in events[-1]["message"]
        assert not writes(cluster.requests(place))


def wait_for(check, seconds=20):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.2)


def test_pods_that_no_node_can_take_are_refused_and_tight_ones_warned_about(bench, cluster):
    cluster.kubectl("apply", "-f", "-", text="{apiVersion: v1, kind: Node, metadata: {name: tiny}}")
    try:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        status = {"status": {"allocatable": {"cpu": "4", "memory": "4Gi", "pods": "10"},
                             "capacity": {"cpu": "4", "memory": "4Gi", "pods": "10"},
                             "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": now}]}}
        cluster.kubectl("patch", "node", "tiny", "--subresource=status", "-p", json.dumps(status))
        wait_for(lambda: not cluster.get("node", "tiny")["spec"].get("taints"))
        bench.doc["presto"]["spec"]["worker"]["memoryAllocation"] = "5Gi"
        bench.write()
        place = cluster.place()
        done, events = bench.up()
        assert done.returncode == 5, done.stderr
        assert "a worker asks for 5Gi of memory" in events[-1]["message"] and "tiny 4Gi" in events[-1]["message"]
        assert not writes(cluster.requests(place))
        bench.doc["presto"]["spec"]["worker"]["memoryAllocation"] = "2Gi"
        bench.write()
        events = bench.make()
        assert any(e["event"] == "warning" and "do not fit now" in e["message"] for e in events)
    finally:
        cluster.kubectl("delete", "node", "tiny")


def test_an_api_server_that_is_away_is_asked_until_the_time_is_up(bench, tmp_path):
    config = yaml.safe_load(pathlib.Path(bench.cluster.kubeconfig).read_text("utf-8"))
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    path = tmp_path / "away"
    path.write_text(yaml.safe_dump(config), "utf-8")
    bench.doc["cluster"]["existing"]["kubeconfig"] = str(path)
    bench.write()
    began = time.monotonic()
    done, events = bench.up(seconds=6)
    assert done.returncode == 3 and 3 < time.monotonic() - began < 12
    assert "did not answer" in events[-1]["message"] or "timed out" in events[-1]["message"]
    json.loads(bench.state().read_text("utf-8"))
    bench.doc["cluster"]["existing"]["kubeconfig"] = bench.cluster.kubeconfig
    bench.write()


BAD = {
    "bad-yaml": ("name: [\n", r"env\.yaml:\d+:\d+: "),
    "duplicate": ("name: a\nname: b\n", r"env\.yaml:2:1: duplicate key"),
    "unknown": ("apiVersion: prestoctl/v1\nkind: Environment\nname: a\nclustr: {}\n", r"env\.yaml:4:1: unknown key 'clustr'; did you mean 'cluster'"),
    "type": ("apiVersion: prestoctl/v1\nkind: Environment\nname: 7\n", r"env\.yaml:3:7: name must be text"),
    "binary": ("a\0b", r"env\.yaml:.*binary"),
    "list": ("[]\n", r"env\.yaml:1:1: the file must be a map"),
    "empty": ("", r"env\.yaml:1:1: the file is empty"),
}


@pytest.mark.parametrize("case", [*BAD, "large", "missing", "folder"])
def test_a_bad_file_touches_nothing(bench, cluster, case):
    good = bench.file.read_text("utf-8")
    pattern = {"large": "larger than", "missing": "No such file", "folder": "env"}.get(case) or BAD[case][1]
    if case == "large":
        bench.file.write_bytes(b"#" * (20 << 20))
    elif case in ("missing", "folder"):
        bench.file.unlink()
        if case == "folder":
            bench.file.mkdir()
    else:
        bench.file.write_text(BAD[case][0], "utf-8")
    place = cluster.place()
    for command in ("up", "plan", "down", "status"):
        done = bench.run(command, "-f", bench.file)
        assert done.returncode == 2, (command, done.stderr)
        assert re.search(pattern, done.stderr), done.stderr
        assert not done.stdout
    assert not cluster.requests(place)
    assert not (bench.folder / "state").exists()
    if case == "folder":
        bench.file.rmdir()
    bench.file.write_text(good, "utf-8")


def test_a_wrong_resource_is_refused_offline_with_our_place(bench, cluster):
    text = bench.file.read_text("utf-8")
    bench.file.write_text(text.replace("count: 2", "count: two"), "utf-8")
    line = next(i for i, x in enumerate(text.splitlines(), 1) if "count: 2" in x)
    place = cluster.place()
    done = bench.run("up", "-f", bench.file)
    assert done.returncode == 2
    assert f"env.yaml:{line}:" in done.stderr and "spec.worker.count in body must be of type integer" in done.stderr
    assert not cluster.requests(place)
    bench.file.write_text(text, "utf-8")


@pytest.mark.parametrize("args, code, words", [
    ([], 2, "no command"), (["nope"], 2, "unknown command"), (["up"], 2, "no environment file"),
    (["up", "--fiel", "x"], 2, "did you mean --file"), (["status"], 2, "no environment is known here"),
    (["status", "nope"], 2, "no environment 'nope'"), (["down", "../x"], 2, "is not the name"),
    (["up", "-f", "x", "--timeout", "soon"], 2, "not a duration"), (["version", "x"], 2, "one word too many"),
])
def test_wrong_command_lines_are_usage_errors(bench, args, code, words):
    done = bench.run(*args)
    assert done.returncode == code and words in done.stderr and not done.stdout


def test_status_and_kubeconfig_find_the_environment_again(bench, cluster, tmp_path):
    bench.make()
    done = bench.run("status", "--output", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["presto"] == "example"
    target = tmp_path / "kc"
    assert bench.run("kubeconfig", "--write", target).returncode == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert bench.run("kubeconfig", "--write", target).returncode == 1
    direct = bench.run("--kubeconfig", target, "-n", bench.name, "status", "--output", "json")
    assert json.loads(direct.stdout)["presto"] == "example"


def test_manifests_are_what_kubectl_takes(bench, cluster):
    done = bench.run("manifests", "-f", bench.file)
    kinds = [d["kind"] for d in yaml.safe_load_all(done.stdout)]
    assert kinds == ["Namespace", "CustomResourceDefinition", "ServiceAccount", "Role", "RoleBinding", "Deployment", "Presto"]
    documents = "---\n".join(yaml.safe_dump(d) for d in yaml.safe_load_all(done.stdout) if d["kind"] != "Presto")
    cluster.kubectl("apply", "--dry-run=client", "-f", "-", text=documents)


class Wire:
    """A TCP forwarder to the API server that can be cut and mended."""

    def __init__(self, port):
        self.to, self.up, self.pairs = port, True, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.up:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.to))
            self.pairs.append((near, far))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    @staticmethod
    def _pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for one in (a, b):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.up = False
        for pair in self.pairs:
            for one in pair:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pairs.clear()

    def mend(self):
        self.up = True


@pytest.fixture(name="wire")
def _wire(bench, tmp_path):
    config = yaml.safe_load(pathlib.Path(bench.cluster.kubeconfig).read_text("utf-8"))
    server = config["clusters"][0]["cluster"]["server"]
    one = Wire(int(server.rsplit(":", 1)[1]))
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{one.port}"
    path = tmp_path / "wire"
    path.write_text(yaml.safe_dump(config), "utf-8")
    bench.doc["cluster"]["existing"]["kubeconfig"] = str(path)
    bench.write()
    yield one
    one.mend()
    bench.run("down", "-f", bench.file, "--timeout", "60s", timeout=90)
    one.listener.close()


def cut_at(bench, wire, step, seconds):
    """Runs up, cuts the wire when a step begins; the events that follow."""
    events = []
    with subprocess.Popen([PRESTOCTL, "up", "-f", bench.file, "--timeout", f"{seconds}s", "--output", "json"],
                          env=bench.env(), stderr=subprocess.PIPE, text=True) as run:
        for line in run.stderr:
            events.append(json.loads(line))
            if (events[-1].get("name"), events[-1].get("state")) == (step, "started"):
                wire.cut()
            if wire.up is False and events[-1].get("state") == "running" and "asking again" in events[-1]["message"]:
                if seconds > 8:
                    wire.mend()
    return run.returncode, events


@pytest.mark.parametrize("step", ["crd", "operator", "presto"])
def test_an_api_server_that_comes_back_is_waited_for(bench, wire, step):
    code, events = cut_at(bench, wire, step, 10)
    assert code == 3 and "presto" in done_steps(events), events[-3:]
    assert "0 of 1 pods" in events[-1]["message"]


def test_an_api_server_that_stays_away_is_said_so(bench, wire):
    code, events = cut_at(bench, wire, "role", 6)
    assert code == 3 and "did not answer until the time was up" in events[-1]["message"], events[-1]
    json.loads(bench.state().read_text("utf-8"))


FAKE = r"""#!/bin/sh
echo "$@" >> "$0.log"
case "$1 $(cat "$0.mode")" in
"status "*) echo '{"event":"result","name":"x","state":"absent"}' ;;
"up fails") echo '{"event":"error","message":"port 6443 is in use","hint":"give --port another","code":1}'; exit 1 ;;
"up dies") echo "Traceback: boom" >&2; kill -9 $$ ;;
"up garbage") printf 'not json\n{"event":"step"}\n[]\n\001\n'; exit 0 ;;
"up hangs") echo '{"event":"step","name":"network","state":"started","message":""}'; sleep 60 ;;
"down "*) echo '{"event":"result","name":"x","state":"absent"}' ;;
esac
"""


class Local(Bench):
    def __init__(self, cluster, registry, folder):
        super().__init__(cluster, registry, folder, "fake")
        self.tool = folder / "devcluster"
        self.tool.write_text(FAKE, "utf-8")
        self.tool.chmod(0o755)
        self.doc["cluster"] = {"provider": "local", "local": {"name": "own", "nodes": 2}}
        self.write()

    def env(self):
        return dict(super().env(), PRESTOCTL_DEVCLUSTER=str(self.tool))

    def mode(self, word):
        (self.folder / "devcluster.mode").write_text(word, "utf-8")

    def calls(self):
        return (self.folder / "devcluster.log").read_text("utf-8").splitlines()


@pytest.fixture(name="local")
def _local(cluster, registry, tmp_path):
    return Local(cluster, registry, tmp_path)


@pytest.mark.parametrize("mode, code, words", [
    ("fails", 1, "port 6443 is in use"), ("dies", 1, "boom"), ("garbage", 1, "ended with status 0"),
    ("hangs", 3, "network"),
])
def test_what_goes_wrong_in_the_local_cluster_is_told_and_down_still_removes_it(local, mode, code, words):
    local.mode(mode)
    done, events = local.up()
    assert done.returncode == code, done.stderr
    assert words in json.dumps(events[-1]) or words in done.stderr
    assert "up --nodes 2 --name own --output json" in local.calls()
    # The file may be gone: what was begun is remembered.
    done = local.run("down", "fake")
    assert done.returncode == 0, done.stderr
    assert local.calls()[-1] == "down --name own --output json"
    assert not local.state().exists()


def test_a_missing_devcluster_is_one_line_with_the_remedy(local):
    local.tool.unlink()
    done = local.run("up", "-f", local.file)
    assert done.returncode == 1 and "PRESTOCTL_DEVCLUSTER is" in done.stderr and "cannot be run" in done.stderr


def test_an_interrupted_child_is_ended_and_the_exit_code_says_so(local):
    local.mode("hangs")
    with subprocess.Popen([PRESTOCTL, "up", "-f", local.file, "--output", "json"], env=local.env(),
                          stderr=subprocess.PIPE, text=True) as run:
        for line in run.stderr:
            if '"running"' in line:
                break
        run.send_signal(signal.SIGINT)
        rest = run.stderr.read()
        assert run.wait(10) == 130, rest
    assert not subprocess.run(["pgrep", "-f", str(local.tool)], capture_output=True, check=False).stdout
