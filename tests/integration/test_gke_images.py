"""Images of GKE environments through `prestoctl up`: into Debian's docker-registry, with the stand-in's Artifact Registry.

The clusters' API server knows a node and nothing else: a run is over once the step "images" is done.
"""
import json
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/peers"), str(ROOT / "tests/peers/google")]

import registry as peer  # noqa: E402  pylint: disable=wrong-import-position
from client import Google  # noqa: E402  pylint: disable=wrong-import-position

PRESTOCTL = ROOT / "build" / os.environ.get("VARIANT", "debug") / "prestoctl"
PROJECT = "demo-proj"
REPOSITORY = f"projects/{PROJECT}/locations/us-central1/repositories/prestoctl"
HOME = f"us-central1-docker.pkg.dev/{PROJECT}/prestoctl"
OPERATOR, PRESTO = [b"operator " * 20_000], [os.urandom(3_000_000), b"shared " * 50_000]

pytestmark = pytest.mark.skipif(not peer.INSTALLED, reason="docker-registry is not installed")


class Kubernetes(BaseHTTPRequestHandler):
    """Lets everybody do everything; has one node and nothing else."""

    protocol_version, images = "HTTP/1.1", []

    def reply(self, body, status=200):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_GET(self):
        path = self.path.partition("?")[0]
        node = {"metadata": {"name": "node0"}, "status": {
            "allocatable": {"cpu": "8", "memory": "32Gi", "pods": "110"}, "conditions": [{"type": "Ready", "status": "True"}],
            "images": [{"names": self.images}]}}
        if path == "/version":
            self.reply({"gitVersion": "v1.33.1"})
        elif path in ("/api/v1/nodes", "/api/v1/pods"):
            self.reply({"kind": "List", "items": [node] if path.endswith("nodes") else []})
        else:
            self.reply({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not found"}, 404)

    def do_POST(self):
        self.body()
        self.reply({"status": {"allowed": True}}, 201)

    def do_PATCH(self):
        self.reply(yaml.safe_load(self.body()))

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module", name="google")
def _google(tmp_path_factory):
    with Google(tmp_path_factory.mktemp("google"), scale=1000) as google:
        state = google.folder / "state"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(state / "server.pem", state / "server.key")
        server = Quiet(("127.0.0.1", 0), Kubernetes)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        google.backends = [{"endpoint": f"127.0.0.1:{server.server_port}", "caFile": str(state / "ca.pem")}]
        yield google
        server.shutdown()


class Quiet(ThreadingHTTPServer):
    """Clients are interrupted here."""

    def handle_error(self, *_):
        pass


class Env:
    """One environment in a folder of its own, with the archives that scripts/images would have built."""

    def __init__(self, google, folder):
        self.google, self.folder, self.file = google, folder, folder / "gke.yaml"
        google.reset()
        google.control("DELETE", "faults")
        google.configure(backends=google.backends)
        Kubernetes.images = []
        peer.archive(folder / "operator.tar", OPERATOR, "localhost/presto-operator:dev")
        self.manifest = peer.archive(folder / "presto.tar", PRESTO, "localhost/presto:312")
        (folder / "build").write_text(f"""#!/bin/sh
for ref; do :; done
case "$ref" in
localhost/presto-operator:dev) echo {folder}/operator.tar ;;
localhost/presto:312) echo {folder}/presto.tar ;;
*) exit 1 ;;
esac
""")
        (folder / "build").chmod(0o755)
        self.env = {**google.env(folder, "token"), "XDG_STATE_HOME": str(folder / "state"),
                    "PRESTOCTL_SHORTEST_POLL": "20ms", "PRESTOCTL_IMAGES": str(folder / "build")}
        self.said = ""

    def write(self, registry, **more):
        image = more.pop("image", {"name": "localhost/presto", "tag": "312"})
        gke = {"project": PROJECT, "location": "us-central1-a",
               "nodePools": [{"name": "workers", "machineType": "e2-standard-4", "count": 2}]}
        self.file.write_text(yaml.safe_dump({
            "apiVersion": "prestoctl/v1", "kind": "Environment", "name": "demo",
            "cluster": {"provider": "gke", "gke": gke | ({"registry": registry} if registry is not None else {})},
            "presto": {"metadata": {"name": "example"}, "spec": {
                "image": image, "coordinator": {"cpuRequest": "1", "memoryAllocation": "2Gi"},
                "worker": {"count": 1, "cpuRequest": "1", "memoryAllocation": "2Gi"}}}, **more}), "utf-8")

    def ctl(self, *args):
        done = subprocess.run([PRESTOCTL, *args], env=self.env, capture_output=True, text=True, timeout=60, check=False)
        self.said += done.stdout + done.stderr
        return done

    def up(self, *args):
        """(exit code, events): until the images are there, or something failed. 0: they are."""
        events, done = [], False
        with subprocess.Popen([PRESTOCTL, "up", "-f", self.file, "--output", "json", "--timeout", "50s", *args], env=self.env, text=True,
                              stderr=subprocess.PIPE, stdout=subprocess.PIPE) as run:
            for line in run.stderr:
                self.said += line
                events.append(json.loads(line))
                if (events[-1].get("name"), events[-1].get("state")) == ("images", "done"):
                    done = True
                    run.send_signal(signal.SIGINT)
            self.said += run.stdout.read()
            run.wait(60)
        return (0 if done else run.returncode), events

    def state(self):
        return json.loads((self.folder / "state/prestoctl/demo/state.json").read_text())


@pytest.fixture(name="env")
def _env(google, tmp_path):
    env = Env(google, tmp_path)
    yield env
    files = "".join(p.read_text() for p in (tmp_path / "state").rglob("*.json"))
    assert google.secrets_in(env.said + files) == [] and "pass-word" not in env.said + files


@pytest.fixture(name="registry")
def _registry(tmp_path):
    with peer.Registry(tmp_path / "registry") as one:
        yield one


def said(events, state="running"):
    """What the step "images" told."""
    return [e["message"] for e in events if e.get("name") == "images" and e["state"] == state]


def error(events):
    [one] = [e for e in events if e.get("event") == "error"]
    return one


def test_a_repository_is_made_and_filled_with_google_s_token_and_a_second_run_writes_nothing(env, tmp_path):
    users = {"oauth2accesstoken": env.google.token.strip()}
    with peer.Registry(tmp_path / "registry", users) as registry:
        env.google.configure(registry=registry.host)
        env.write({"repository": "prestoctl"})
        code, events = env.up()
        assert code == 0, events
        assert said(events, "done") == [f"2 sent (3.5 MB), 0 there already, in {HOME}"]
        steps = said(events)
        assert any(m.startswith("presto:312: 3.0 of 3.4 MB, blob ") and m.endswith(" sent") for m in steps), steps
        assert registry.tags() == {f"{PROJECT}/prestoctl/presto:312", f"{PROJECT}/prestoctl/presto-operator:dev"}
        status, made = env.google.http("GET", f"/v1/{REPOSITORY}", token=env.google.token)
        assert status == 200
        assert made["labels"] == {"made-by": "prestoctl"} and made["format"] == "DOCKER"
        assert env.state()["made"]["repository"] == HOME
        before, google = len(registry.requests()), len(env.google.requests())
        code, events = env.up()
        assert code == 0 and said(events, "done") == [f"0 sent (0.0 MB), 2 there already, in {HOME}"], events
        # One per image, after the first 401.
        assert [(m, s) for m, _, s in registry.requests()[before:]] == [("HEAD", 401), ("HEAD", 200), ("HEAD", 200)]
        assert [e for e in env.google.requests()[google:] if e["write"]] == []
        done = env.ctl("down", "demo")
        assert done.returncode == 0, done.stderr
        assert f"stays: images: the repository {HOME}, which other environments may use\n" in done.stdout


def test_names_of_images_are_below_the_registry_also_in_manifests(env):
    env.write({"repository": "prestoctl"})
    got = list(yaml.safe_load_all(env.ctl("manifests", "-f", env.file).stdout))
    [operator] = [o for o in got if o["kind"] == "Deployment"]
    assert operator["spec"]["template"]["spec"]["containers"][0]["image"] == f"{HOME}/presto-operator:dev"
    assert got[-1]["spec"]["imageNamePrefix"] == f"{HOME}/" and got[-1]["spec"]["image"] == {"name": "presto", "tag": "312"}
    assert env.google.requests() == []


def test_another_registry_takes_named_archives_with_a_password(env, tmp_path):
    peer.archive(tmp_path / "hive.tar", [b"hive", PRESTO[1]], "docker.io/library/hive:3")
    (tmp_path / "pw").write_text("pass-word\n")
    (tmp_path / "pw").chmod(0o644)
    with peer.Registry(tmp_path / "registry", {"me": "pass-word"}) as registry:
        env.write({"host": registry.host, "path": "team/x", "username": "me", "passwordFile": "pw"}, images=["hive.tar"])
        code, events = env.up()
        assert code == 0, events
        assert registry.tags() == {"team/x/hive:3", "team/x/presto:312", "team/x/presto-operator:dev"}
        assert [e for e in events if e["event"] == "warning" and "chmod 600" in e["message"]]
        assert any("presto:312" in m and m.endswith("is there already") for m in said(events)) or \
            any(m.endswith("taken from a neighbour") for m in said(events))
        before = len(registry.requests())
        (tmp_path / "pw").chmod(0o600)
        code, events = env.up()
        assert code == 0 and "0 sent" in said(events, "done")[0]
        assert {m for m, _, _ in registry.requests()[before:]} == {"HEAD"} and len(registry.requests()) == before + 4
        assert not [e for e in events if e["event"] == "warning"]


def test_a_wrong_password_is_a_refusal_with_its_remedy(env, tmp_path):
    (tmp_path / "pw").write_text("wrong-word")
    (tmp_path / "pw").chmod(0o600)
    with peer.Registry(tmp_path / "registry", {"me": "pass-word"}) as registry:
        env.write({"host": registry.host, "username": "me", "passwordFile": "pw"})
        code, events = env.up()
        assert code == 4 and registry.host in error(events)["message"] and "push" in error(events)["hint"], events
        assert "wrong-word" not in env.said and registry.tags() == set()
        env.write({"host": registry.host})
        code, events = env.up()
        assert code == 4 and "wants credentials" in error(events)["message"], events
        (tmp_path / "pw").unlink()
        env.write({"host": registry.host, "username": "me", "passwordFile": "pw"})
        code, events = env.up()
        assert code == 1 and "passwordFile" in error(events)["message"], events


def test_a_broken_upload_is_sent_again_whole(env, registry):
    with peer.Broken(registry.host, 1_000_000) as line:
        env.write({"host": line.host})
        code, events = env.up()
        assert code == 0 and line.breaks == 1, events
        assert any(m.startswith("again: ") for m in said(events))
        assert registry.manifest("presto", "312") == env.manifest
        assert registry.tags() == {"presto:312", "presto-operator:dev"}


def test_a_registry_that_stays_away_is_not_taken_for_the_api_server(env):
    env.write({"host": f"127.0.0.1:{peer.free_port()}"})
    code, events = env.up()
    assert code == 1 and "not sent again" in error(events)["hint"], events
    assert "API server" not in json.dumps(events)


def test_a_repository_of_another_kind_is_refused(env):
    where, _, name = REPOSITORY.rpartition("/")
    assert env.google.http("POST", f"/v1/{where}?repositoryId={name}", {"format": "MAVEN"}, token=env.google.token)[0] == 200
    env.write({"repository": "prestoctl"})
    code, events = env.up()
    assert code == 1, events
    assert "prestoctl holds MAVEN, not Docker images" in error(events)["message"] and "another name" in error(events)["hint"]
    assert "repository" not in env.state()["made"]


def test_what_has_no_archive_must_be_there(env, registry, tmp_path):
    env.write({"host": registry.host}, image={"name": "team/presto", "tag": "9"})
    code, events = env.up()
    assert code == 1 and f"{registry.host}/team/presto:9 is not in the registry" in error(events)["message"], events
    assert "under images" in error(events)["hint"]
    # On the nodes is as good.
    Kubernetes.images = [f"{registry.host}/team/presto:9"]
    code, events = env.up()
    assert code == 0 and said(events, "done")[0].endswith("; 1 on every node, 0 in a registry, 0 not known"), events
    Kubernetes.images = []
    peer.archive(tmp_path / "own.tar", [b"own"], f"{registry.host}/team/presto:9")
    env.write({"host": registry.host}, image={"name": "team/presto", "tag": "9"}, images=["own.tar"])
    code, events = env.up()
    assert code == 0 and "team/presto:9" in registry.tags(), events
    # Now without its archive.
    env.write({"host": registry.host}, image={"name": "team/presto", "tag": "9"})
    code, events = env.up()
    assert code == 0 and said(events, "done")[0].endswith("; 0 on every node, 1 in a registry, 0 not known"), events


def test_an_operator_image_that_exists_is_used_and_not_pushed(env, registry):
    env.write({"host": registry.host})
    code, events = env.up("--operator-image", f"{registry.host}/presto-operator:dev")
    assert code == 1 and "presto-operator:dev is not in the registry" in error(events)["message"], events
    assert registry.tags() == {"presto:312"}
    code, events = env.up()
    assert code == 0
    code, events = env.up("--operator-image", f"{registry.host}/presto-operator:dev")
    assert code == 0 and "0 sent (0.0 MB), 1 there already" in said(events, "done")[0], events
    done = env.ctl("up", "-f", env.file, "--operator-image", "No Image")
    assert done.returncode == 2 and "is not the name of an image" in done.stderr


def test_a_wrong_archive_is_found_before_anything_is_made(env, tmp_path):
    cases = [("no tar at all" * 100, "not a tar"), (None, "does not say what its image is called")]
    for text, words in cases:
        if text:
            (tmp_path / "x.tar").write_text(text)
        else:
            peer.archive(tmp_path / "x.tar", [b"x"])
        env.write({"repository": "prestoctl"}, images=["x.tar"])
        code, events = env.up()
        assert code == 1 and words in error(events)["message"], events
    env.write({"repository": "prestoctl"}, images=["absent.tar"])
    assert env.up()[0] == 1
    assert not [r for r in env.google.requests() if "repositories" in r["path"]]


def test_without_a_registry_images_are_looked_for_where_they_are(env, registry, tmp_path):
    peer.archive(tmp_path / "x.tar", [b"x"], "localhost/presto:312")
    env.write(None, image={"name": f"{registry.host}/presto", "tag": "1"})
    code, events = env.up("--operator-image", "localhost/presto-operator:dev")
    assert code == 1 and "localhost/presto-operator:dev cannot be pulled" in error(events)["message"], events
    assert registry.tags() == set()


def test_google_s_own_registries_are_asked_with_our_token(env):
    """By their real names: the line out ends at the stand-in, which has no images."""
    env.env |= {k: v for k, v in env.google.env(env.folder, "token", proxy=True).items() if "PROXY" in k.upper() or k == "SSL_CERT_FILE"}
    image = {"name": "us-docker.pkg.dev/demo-proj/x/presto", "tag": "1"}
    Kubernetes.images = ["us-docker.pkg.dev/demo-proj/x/presto:1"]
    env.write(None, image=image)
    code, events = env.up("--operator-image", "us-docker.pkg.dev/demo-proj/x/operator:1")
    assert code == 1 and "its registry does not have it" in error(events)["message"], events
    [asked] = [r for r in env.google.requests() if r["path"].startswith("/v2/")]
    assert asked["method"] == "HEAD" and asked["path"] == "/v2/demo-proj/x/operator/manifests/1"
    env.google.fault(match={"path": "/v2/*"}, status=403)
    code, events = env.up("--operator-image", "us-docker.pkg.dev/demo-proj/x/operator:1")
    assert code == 0 and said(events, "done") == ["1 on every node, 0 in a registry, 1 not known"], events
    assert [e for e in events if e["event"] == "warning" and "is not known from here" in e["message"]]
