"""k8s/: the client against a real API server: verbs, informer, waiting, credentials, kubeconfigs."""

import base64
import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cprobe import build_probe

TOP = Path(__file__).resolve().parents[2]
DEVCLUSTER = TOP / "scripts" / "devcluster" / "devcluster"
sys.path.insert(0, str(DEVCLUSTER.parent))
sys.dont_write_bytecode = True

from dc.parts import Parts             # noqa: E402  pylint: disable=wrong-import-position

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="the development cluster needs root"),
    pytest.mark.skipif(not Parts().complete(), reason="the parts are not built: scripts/devcluster/devcluster build"),
]
LIBS = ["libcurl", "openssl", "jansson", "yaml-0.1"]


class Server:
    """One control plane, and the probe that talks to it."""

    def __init__(self, folder):
        self.folder = folder
        self.name = f"k8s-{os.getpid()}"
        self.env = {**os.environ, "DEVCLUSTER_STATE": str(folder / "state")}
        self.up()
        self.probe_path = build_probe(folder, "k8s_probe", ("k8s", "base"), LIBS)
        self.seen = 0

    def devcluster(self, *args, check=True, stdin=None):
        done = subprocess.run([str(DEVCLUSTER), args[0], "--name", self.name, *args[1:]], env=self.env, text=True,
                              capture_output=True, timeout=180, check=False, input=stdin)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self):
        self.devcluster("up", "--control-plane-only")
        self.status = json.loads(self.devcluster("status", "--output", "json"))
        self.kubeconfig = Path(self.status["kubeconfig"])

    def kubectl(self, *args, stdin=None):
        return self.devcluster("kubectl", *args, stdin=stdin)

    def start(self, *args, env=None, **more):
        return subprocess.Popen([self.probe_path, *map(str, args)], text=True, stdout=subprocess.PIPE,
                                env={**os.environ, "KUBECONFIG": str(self.kubeconfig), **(env or {})}, **more)

    def run(self, *args, stdin="", env=None):
        with self.start(*args, env=env, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as p:
            out, err = p.communicate(stdin if isinstance(stdin, str) else json.dumps(stdin), timeout=60)
        return p.returncode, out, err

    def ok(self, *args, **more):
        code, out, err = self.run(*args, **more)
        assert code == 0, err
        return out

    def refused(self, *args, **more):
        code, out, err = self.run(*args, **more)
        assert code == 1, out + err
        return err

    def audit(self):
        """What has come since the last call from the probe, once the server has written it down."""
        time.sleep(0.3)
        with open(self.status["audit_log"], encoding="utf-8") as f:
            f.seek(self.seen)
            text = f.read()
            self.seen = f.tell()
        events = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        return [e for e in events if e["userAgent"] == "k8s-probe" and e["stage"] == "ResponseComplete"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    s = Server(tmp_path_factory.mktemp("k8s"))
    yield s
    s.devcluster("down", check=False)


@pytest.fixture
def ns(server, request):
    name = "t-" + re.sub("[^a-z0-9]+", "-", request.node.name)[:50].strip("-")
    server.kubectl("create", "namespace", name)
    return name


def configmap(ns, name, labels=None, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": ns, "labels": labels or {}},
            "data": data}


# --- verbs ---


def test_apply_creates_then_changes_nothing_then_changes(server, ns):
    first = json.loads(server.ok("apply", "me", stdin=configmap(ns, "a", mark="1")))
    again = json.loads(server.ok("apply", "me", stdin=configmap(ns, "a", mark="1")))
    other = json.loads(server.ok("apply", "me", stdin=configmap(ns, "a", mark="2")))
    rv = [o["metadata"]["resourceVersion"] for o in (first, again, other)]
    assert rv[0] == rv[1] != rv[2]
    dry = json.loads(server.ok("apply", "me", "dry-run", stdin=configmap(ns, "a", mark="3")))
    assert dry["data"]["mark"] == "3"
    assert json.loads(server.ok("get", "configmaps", ns, "a"))["data"]["mark"] == "2"


def test_a_conflict_names_the_other_manager_unless_forced(server, ns):
    server.ok("apply", "one", stdin=configmap(ns, "a", mark="1"))
    err = server.refused("apply", "two", "no-force", stdin=configmap(ns, "a", mark="2"))
    assert err.startswith("conflict:") and '"one"' in err and ".data.mark" in err
    assert json.loads(server.ok("apply", "two", stdin=configmap(ns, "a", mark="2")))["data"]["mark"] == "2"


def test_a_refusal_has_the_servers_words_and_causes(server, ns):
    bad = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": ns},
           "spec": {"ports": [{"port": 99999}], "type": "Nope"}}
    err = server.refused("create", stdin=bad)
    assert err.startswith("invalid:") and "spec.ports[0].port" in err and "spec.type" in err
    assert server.refused("get", "pods", ns, "nope").startswith('not found: pods "nope" not found')
    server.ok("create", stdin=configmap(ns, "a"))
    assert server.refused("create", stdin=configmap(ns, "a")).startswith("exists:")


def test_lists_come_in_pages_and_whole(server, ns):
    many = [configmap(ns, f"m{i:04}", {"bulk": "1"}, mark="x" * 2000) for i in range(120)]
    assert server.ok("apply", "me", stdin=many).split() == ["0"]
    server.audit()
    got = json.loads(server.ok("list", "configmaps", ns, 50, "bulk=1"))
    assert got == {"n": 120, "last": "m0119", "kind": "ConfigMap", "apiVersion": "v1"}
    assert len(server.audit()) == 3
    assert json.loads(server.ok("list", "configmaps", ns, 0, "bulk=2"))["n"] == 0


def test_delete_keeps_to_its_preconditions(server, ns):
    made = json.loads(server.ok("create", stdin=configmap(ns, "a")))
    assert server.refused("delete", "configmaps", ns, "a", "another-uid").startswith("conflict:")
    assert server.refused("delete", "configmaps", ns, "a", "", "1").startswith("conflict:")
    meta = made["metadata"]
    server.ok("delete", "configmaps", ns, "a", meta["uid"], meta["resourceVersion"])
    server.ok("delete", "configmaps", ns, "a")


def test_a_merge_patch_can_be_conditional(server, ns):
    made = json.loads(server.ok("create", stdin=configmap(ns, "a", mark="1")))
    patch = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"mark": "2"}}
    assert json.loads(server.ok("patch", "configmaps", ns, "a", "", stdin=patch))["data"]["mark"] == "2"
    assert server.refused("patch", "configmaps", ns, "a", "", stdin=patch).startswith("conflict:")


def test_events_are_counted_not_repeated(server, ns):
    server.audit()
    server.ok("event", ns, "thing", 5)
    writes = [e for e in server.audit() if e["verb"] in ("create", "patch")]
    assert [e["verb"] for e in writes] == ["create", "patch"]
    event, = json.loads(server.kubectl("-n", ns, "get", "events", "-o", "json"))["items"]
    assert (event["count"], event["type"], event["reason"]) == (5, "Warning", "Probed")
    assert event["involvedObject"]["name"] == "thing"


# --- rights and identities ---


def user_kubeconfig(server, folder, user, **cluster):
    """A file of one's own for the same server."""
    given = json.loads(server.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    c = {**given["clusters"][0]["cluster"], **cluster}
    path = folder / "config"
    path.write_text(json.dumps({
        "clusters": [{"name": "c", "cluster": c}], "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}], "current-context": "x"}))
    return {"KUBECONFIG": str(path)}


def service_account(server, ns):
    server.kubectl("-n", ns, "create", "serviceaccount", "sa")
    server.kubectl("-n", ns, "create", "role", "look", "--verb=get,list,watch", "--resource=configmaps")
    server.kubectl("-n", ns, "create", "rolebinding", "look", "--role=look", f"--serviceaccount={ns}:sa")
    return server.kubectl("-n", ns, "create", "token", "sa", "--duration=10m").strip()


def who(server, env):
    return json.loads(server.ok("whoami", env=env))["status"]["userInfo"]


def test_a_token_may_do_what_its_role_says(server, ns, tmp_path):
    env = user_kubeconfig(server, tmp_path, {"token": service_account(server, ns)})
    assert who(server, env)["username"] == f"system:serviceaccount:{ns}:sa"
    assert server.ok("can", ns, "get:configmaps", "delete:configmaps", "get:secrets", env=env).splitlines() == [
        "get configmaps yes", "delete configmaps no", "get secrets no"]
    err = server.refused("get", "secrets", ns, "a", env=env)
    assert err.startswith("denied:") and "forbidden" in err and "| this identity lacks the right" in err


def test_a_pods_service_account_works_and_its_token_is_reread(server, ns, tmp_path):
    token = service_account(server, ns)
    host, port = server.status["server"].removeprefix("https://").rsplit(":", 1)
    (tmp_path / "token").write_text(token)
    (tmp_path / "namespace").write_text(ns)
    given = json.loads(server.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    (tmp_path / "ca.crt").write_bytes(base64.b64decode(given["clusters"][0]["cluster"]["certificate-authority-data"]))
    env = {"PROBE_SERVICE_ACCOUNT": str(tmp_path), "KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    assert who(server, env)["username"] == f"system:serviceaccount:{ns}:sa"
    # A watch begun with a token that is replaced on the way.
    with Watching(server, "configmaps", ns, env=env) as w:
        server.kubectl("-n", ns, "create", "configmap", "a")
        w.wait_for("added", f"{ns}/a")


def test_impersonation_is_what_kubectl_makes_of_it(server, tmp_path):
    given = json.loads(server.kubectl("config", "view", "--raw", "--minify", "-o", "json"))["users"][0]["user"]
    env = user_kubeconfig(server, tmp_path, {**given, "as": "jane", "as-groups": ["dev", "ops"],
                                             "as-user-extra": {"example.com/Reason": ["x"]}})
    info = who(server, env)
    theirs = json.loads(subprocess.run(
        [str(DEVCLUSTER), "kubectl", "--name", server.name, "--kubeconfig", env["KUBECONFIG"], "auth", "whoami", "-o",
         "json"], env=server.env, check=True, capture_output=True, text=True).stdout)["status"]["userInfo"]
    assert info == theirs
    assert info["username"] == "jane" and set(info["groups"]) >= {"dev", "ops"}


def write_plugin(folder, answer):
    (folder / "answer").write_text(json.dumps(answer))
    plugin = folder / "plugin"
    plugin.write_text('#!/bin/sh\ncd "$(dirname "$0")" && echo "$KUBERNETES_EXEC_INFO" >info && cat answer\n')
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    return plugin


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_exec_plugins_of_both_versions_log_in(server, ns, tmp_path, version):
    api = f"client.authentication.k8s.io/{version}"
    write_plugin(tmp_path, {"apiVersion": api, "kind": "ExecCredential",
                            "status": {"token": service_account(server, ns),
                                       "expirationTimestamp": "2099-01-01T00:00:00Z"}})
    env = user_kubeconfig(server, tmp_path, {"exec": {"apiVersion": api, "command": "./plugin", "args": ["x"],
                                                      "interactiveMode": "IfAvailable", "provideClusterInfo": True}})
    assert who(server, env)["username"] == f"system:serviceaccount:{ns}:sa"
    info = json.loads((tmp_path / "info").read_text())
    assert info["apiVersion"] == api and info["spec"]["cluster"]["server"] == server.status["server"]


def test_an_exec_plugins_certificate_logs_in(server, tmp_path):
    given = json.loads(server.kubectl("config", "view", "--raw", "--minify", "-o", "json"))["users"][0]["user"]
    api = "client.authentication.k8s.io/v1"
    write_plugin(tmp_path, {"apiVersion": api, "kind": "ExecCredential", "status": {
        "clientCertificateData": base64.b64decode(given["client-certificate-data"]).decode(),
        "clientKeyData": base64.b64decode(given["client-key-data"]).decode()}})
    env = user_kubeconfig(server, tmp_path, {"exec": {"apiVersion": api, "command": "./plugin",
                                                      "interactiveMode": "Never"}})
    assert "system:masters" in who(server, env)["groups"]


def test_names_and_authorities_are_checked(server, tmp_path):
    given = json.loads(server.kubectl("config", "view", "--raw", "--minify", "-o", "json"))["users"][0]["user"]
    env = user_kubeconfig(server, tmp_path, given, **{"tls-server-name": "wrong.example.com"})
    assert server.refused("whoami", env=env).startswith("denied:")
    env = user_kubeconfig(server, tmp_path, given, **{"tls-server-name": "kubernetes.default"})
    assert "system:masters" in who(server, env)["groups"]
    env = user_kubeconfig(server, tmp_path, given, **{"certificate-authority-data": None})
    assert server.refused("whoami", env=env).startswith("denied:")
    env = user_kubeconfig(server, tmp_path, given, **{"certificate-authority-data": None,
                                                      "insecure-skip-tls-verify": True})
    assert "system:masters" in who(server, env)["groups"]


def test_our_kubeconfig_is_read_by_kubectl(server, tmp_path):
    path = tmp_path / "ours"
    path.write_text(server.ok("config", "mine"))
    done = subprocess.run([str(DEVCLUSTER), "kubectl", "--name", server.name, "--kubeconfig", str(path), "get",
                           "namespace", "default", "-o", "name"], env=server.env, check=True, capture_output=True,
                          text=True)
    assert done.stdout.strip() == "namespace/default"


def test_merged_files_resolve_as_kubectl_resolves_them(server, tmp_path):
    one, two = tmp_path / "one", tmp_path / "sub" / "two"
    two.parent.mkdir()
    (two.parent / "ca.crt").write_text("CA")
    one.write_text(json.dumps({"clusters": [{"name": "c", "cluster": {"server": "https://first"}}],
                               "contexts": [{"name": "x", "context": {"cluster": "d", "namespace": "n1"}}],
                               "users": [], "current-context": ""}))
    two.write_text(json.dumps({"clusters": [{"name": "c", "cluster": {"server": "https://second"}},
                                            {"name": "d", "cluster": {"server": "https://third",
                                                                      "certificate-authority": "ca.crt"}}],
                               "contexts": [{"name": "x", "context": {"cluster": "c", "namespace": "n2"}}],
                               "current-context": "x"}))
    env = {"KUBECONFIG": f"{tmp_path}/none:{one}:{two}"}
    ours = server.ok("config", "n", env=env)
    done = subprocess.run([str(DEVCLUSTER), "kubectl", "--name", server.name, "config", "view", "--raw", "--minify",
                           "--flatten", "-o", "json"], env={**server.env, **env}, check=False, capture_output=True,
                          text=True)
    if done.returncode == 0 and "third" in done.stdout:
        theirs = json.loads(done.stdout)
        assert theirs["contexts"][0]["context"]["namespace"] == "n1"
    assert "https://third" in ours and "namespace: n1" in ours and base64.b64encode(b"CA").decode() in ours


# --- waiting ---

CRD = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
       "metadata": {"name": "things.example.com"},
       "spec": {"group": "example.com", "names": {"kind": "Thing", "plural": "things"}, "scope": "Namespaced",
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}


def test_a_definition_is_waited_for_from_before_it_is_there(server):
    with server.start("wait", "established", "customresourcedefinitions", "", "things.example.com", 20) as p:
        assert p.stdout.readline().strip() == "not there yet"
        server.ok("apply", "me", stdin=CRD)
        p.communicate(timeout=20)
        assert p.returncode == 0
    server.ok("delete", "customresourcedefinitions", "", "things.example.com")
    server.ok("wait", "gone", "customresourcedefinitions", "", "things.example.com", 20)


def test_waiting_ends_with_what_was_missing(server, ns):
    held = configmap(ns, "a")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    server.ok("create", stdin=held)
    server.ok("delete", "configmaps", ns, "a")
    start = time.monotonic()
    err = server.refused("wait", "gone", "configmaps", ns, "a", 1.5)
    assert 1.4 < time.monotonic() - start < 5
    assert err.startswith(f"timeout: ConfigMap {ns}/a: timed out: being removed, held by finalizer example.com/hold")
    with server.start("wait", "gone", "configmaps", ns, "a", 20) as p:
        p.stdout.readline()
        server.ok("patch", "configmaps", ns, "a", "", stdin={"metadata": {"finalizers": None}})
        p.communicate(timeout=20)
        assert p.returncode == 0


def test_a_status_written_later_ends_the_wait_without_polling(server, ns):
    pod = {"spec": {"containers": [{"name": "c", "image": "none"}]}, "metadata": {"labels": {"a": "b"}}}
    server.ok("create", stdin={"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": ns},
                               "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": pod}})
    server.audit()
    with server.start("wait", "ready", "deployments", ns, "d", 20) as p:
        assert "has not looked" in p.stdout.readline()
        time.sleep(1)
        status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1,
                  "readyReplicas": 1}
        server.kubectl("-n", ns, "patch", "deployment", "d", "--subresource=status", "--type=merge", "-p",
                       json.dumps({"status": status}))
        p.communicate(timeout=20)
        assert p.returncode == 0
    assert [e["verb"] for e in server.audit()] in (["get"], ["get", "watch"])


# --- informer ---


class Watching:
    """The probe's informer as a process; its lines are collected as they come."""

    def __init__(self, server, *args, env=None):
        self.p = server.start("watch", *args, env=env, stdin=subprocess.PIPE)
        self.lines = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.p.stdout:
            self.lines.append(json.loads(line))

    def wait_for(self, event, key=None, seconds=30, **more):
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            for line in list(self.lines):
                if line["event"] == event and key in (None, line.get("key")) and more.items() <= line.items():
                    return line
            time.sleep(0.02)
        raise AssertionError(f"no {event} {key} {more} in {self.lines[-20:]}")

    def stats(self):
        self.lines = [line for line in self.lines if line["event"] != "stats"]
        self.p.stdin.write("?\n")
        self.p.stdin.flush()
        return self.wait_for("stats")

    def __enter__(self):
        self.wait_for("synced")
        return self

    def __exit__(self, *exc):
        self.p.stdin.close()
        code = self.p.wait(timeout=20)
        self.thread.join(10)
        assert exc[0] or code == 0


def test_an_informer_tells_what_happens_and_only_that(server, ns):
    server.ok("apply", "me", stdin=configmap(ns, "before", {"a": "b"}, mark="1"))
    with Watching(server, "configmaps", ns, "a=b") as w:
        w.wait_for("added", f"{ns}/before", mark="1")
        server.ok("apply", "me", stdin=configmap(ns, "now", {"a": "b"}, mark="1"))
        server.ok("apply", "me", stdin=configmap(ns, "now", {"a": "b"}, mark="2"))
        server.ok("apply", "me", stdin=configmap(ns, "foreign", {"a": "c"}))
        w.wait_for("changed", f"{ns}/now", mark="2")
        server.ok("delete", "configmaps", ns, "before")
        w.wait_for("gone", f"{ns}/before")
        # Leaving the selection is as good as going.
        server.ok("apply", "me", stdin=configmap(ns, "now", {"a": "z"}, mark="2"))
        w.wait_for("gone", f"{ns}/now")
        stats = w.stats()
        assert (stats["lists"], stats["watches"], stats["errors"], stats["n"]) == (1, 1, 0, 0)


def test_own_writes_never_look_like_drift(server, ns):
    assert json.loads(server.ok("own", ns, 60)) == {"drift": 0, "stale": 0}


def restart_api_server(server, pause=0.0):
    os.kill(server.status["components"]["kube-apiserver"]["pid"], signal.SIGKILL)
    time.sleep(pause)
    server.up()


def test_an_informer_lives_through_a_restart_of_the_server(server, ns):
    server.ok("apply", "me", stdin=configmap(ns, "a", {"a": "b"}, mark="1"))
    with Watching(server, "configmaps", ns, "a=b") as w:
        w.wait_for("added", f"{ns}/a")
        restart_api_server(server, pause=1)
        server.ok("apply", "me", stdin=configmap(ns, "b", {"a": "b"}, mark="2"))
        server.ok("delete", "configmaps", ns, "a")
        w.wait_for("added", f"{ns}/b", seconds=60)
        w.wait_for("gone", f"{ns}/a", seconds=60)
        stats = w.stats()
        assert stats["n"] == 1 and stats["error"] == ""
        assert len([line for line in w.lines if line["event"] == "added"]) == 2


def test_waiting_lives_through_a_restart_of_the_server(server, ns):
    server.ok("apply", "me", stdin=configmap(ns, "a"))
    with server.start("wait", "gone", "configmaps", ns, "a", 60) as p:
        p.stdout.readline()
        restart_api_server(server, pause=1)
        server.ok("delete", "configmaps", ns, "a")
        p.communicate(timeout=60)
        assert p.returncode == 0
