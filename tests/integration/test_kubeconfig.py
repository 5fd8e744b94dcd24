"""prestoctl kubeconfig and real kubectl on the same files: which file, what stays, locks, and a hundred at once."""
import concurrent.futures
import http.server
import json
import os
import pathlib
import shutil
import signal
import ssl
import stat
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/peers/google"), str(ROOT / "scripts/devcluster")]
sys.dont_write_bytecode = True

from client import Google               # noqa: E402  pylint: disable=wrong-import-position
from dc.parts import Parts              # noqa: E402  pylint: disable=wrong-import-position

PRESTOCTL = ROOT / "build" / os.environ.get("VARIANT", "debug") / "prestoctl"
SOURCE = {"apiVersion": "v1", "kind": "Config", "current-context": "c",
          "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
          "users": [{"name": "u", "user": {"token": "sesame-open-0123456789"}}],
          "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}
FOREIGN = """\
# a comment, which goes
apiVersion: v1
kind: Config
preferences: {colors: true}
mine: {port: 0.1, big: 12345678901, text: '0123', 'yes': 'no', list: [1, '1', null]}
clusters:
- name: old
  cluster:
    server: https://old:6443
    extensions: [{name: minikube, extension: {version: v1.20.0, n: 1}}]
    unknown: [x]
users:
- {name: old, user: {token: old-secret-token, extensions: []}, also: 7}
contexts:
- {name: old, context: {cluster: old, user: old, namespace: 'null'}}
current-context: old
"""


KUBECTL = str(Parts().path("kubectl"))
needs_kubectl = pytest.mark.skipif(not os.path.exists(KUBECTL), reason="kubectl is not built: scripts/devcluster/devcluster build")


class Home:
    def __init__(self, folder):
        self.folder, self.config = folder, folder / ".kube/config"
        (folder / "source").write_text(json.dumps(SOURCE))

    def env(self, **more):
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")}
        return {**kept, "HOME": str(self.folder), **more}

    def run(self, *args, rc=0, **env):
        done = subprocess.run([PRESTOCTL, "kubeconfig", *args], cwd=self.folder, env=self.env(**env), capture_output=True,
                              text=True, timeout=90, check=False)
        assert done.returncode == rc, done
        return done

    def merge(self, name=None, *args, rc=0, **env):
        """An environment of this name; without one, a cluster that was only named by options."""
        which = ("-f", self.environment(name)) if name else ("--kubeconfig", "source")
        return self.run(*which, *args, rc=rc, **env)

    def environment(self, name):
        file = self.folder / f"{name}.yaml"
        file.write_text(f"apiVersion: prestoctl/v1\nkind: Environment\nname: {name}\n"
                        "cluster: {provider: existing, existing: {kubeconfig: source}}\n"
                        "presto: {metadata: {name: example}}\n")
        return file

    def kubectl(self, *args, check=True, **env):
        return subprocess.run([KUBECTL, *args], cwd=self.folder, env=self.env(**env), capture_output=True, text=True,
                              timeout=60, check=check)

    def contexts(self, **env):
        return self.kubectl("config", "get-contexts", "-o", "name", **env).stdout.split()

    def put(self, text=FOREIGN, mode=0o600):
        self.config.parent.mkdir(exist_ok=True)
        self.config.write_text(text)
        self.config.chmod(mode)
        return self.config

    def left(self):
        return sorted(f.name for f in self.config.parent.iterdir())


@pytest.fixture(name="home")
def _home(tmp_path):
    return Home(tmp_path)


def entries(doc, section="contexts"):
    return {one["name"]: one[section[:-1]] for one in doc[section] or []}


# --- one merge --------------------------------------------------------------------------------------------------------

@needs_kubectl
def test_kubectl_reads_what_was_merged(home):
    done = home.merge("demo")
    assert "context prestoctl-demo is now in" in done.stdout and "and is the current one" in done.stdout
    assert "  kubectl --context prestoctl-demo get pods\n" in done.stdout
    assert home.kubectl("config", "current-context").stdout == "prestoctl-demo\n"
    seen = json.loads(home.kubectl("config", "view", "--raw", "-o", "json").stdout)
    assert entries(seen)["prestoctl-demo"] == {"cluster": "prestoctl-demo", "user": "prestoctl-demo", "namespace": "demo"}
    assert entries(seen, "users")["prestoctl-demo"] == {"token": "sesame-open-0123456789"}
    assert stat.S_IMODE(home.config.stat().st_mode) == 0o600 and home.left() == ["config"]
    text = home.config.read_text()
    assert "was already in" in home.merge("demo").stdout and home.config.read_text() == text


def test_json_says_what_happened(home):
    home.put()
    done = json.loads(home.merge("demo", "-o", "json").stdout)
    assert done == {"context": "prestoctl-demo", "file": str(home.config), "changed": True, "current": False,
                    "backup": f"{home.config}.prestoctl-backup"}
    done = json.loads(home.merge("demo", "--set-current", "-o", "json").stdout)
    assert done["current"] is True and done["changed"] is True
    done = json.loads(home.merge("demo", "-o", "json").stdout)
    assert done == {"context": "prestoctl-demo", "file": str(home.config), "changed": False, "current": True}


def test_everything_that_was_there_stays(home):
    before = yaml.safe_load(FOREIGN)
    home.put(mode=0o640)
    home.merge("demo")
    after = yaml.safe_load(home.config.read_text())
    for section in ("clusters", "users", "contexts"):
        assert after[section][:1] == before[section] and [e["name"] for e in after[section]] == ["old", "prestoctl-demo"]
        del before[section], after[section]
    assert after == before and list(after) == list(before)
    assert stat.S_IMODE(home.config.stat().st_mode) == 0o640
    backup = home.config.with_name("config.prestoctl-backup")
    assert backup.read_text() == FOREIGN and stat.S_IMODE(backup.stat().st_mode) == 0o600
    home.merge("other")
    assert entries(yaml.safe_load(backup.read_text())).keys() == {"old", "prestoctl-demo"}


def test_a_link_is_followed_and_owner_and_mode_stay(home):
    real = home.folder / "real"
    real.mkdir()
    (real / "kube").write_text(FOREIGN)
    (real / "kube").chmod(0o644)
    if os.geteuid() == 0:
        os.chown(real / "kube", 1234, 2345)
    home.config.parent.mkdir()
    home.config.symlink_to("../real/kube")
    home.merge("demo")
    now = (real / "kube").stat()
    assert home.config.is_symlink() and stat.S_IMODE(now.st_mode) == 0o644
    if os.geteuid() == 0:
        assert (now.st_uid, now.st_gid) == (1234, 2345)
    assert "prestoctl-demo" in (real / "kube").read_text() and sorted(os.listdir(real)) == ["kube", "kube.prestoctl-backup"]
    home.config.unlink()
    home.config.symlink_to("../nowhere/kube")
    assert "a link that leads nowhere" in home.merge("demo", rc=1).stderr


@pytest.mark.parametrize("text, place", [
    ("a: b: c\n", "1:"), ("[1, 2]\n", "1:1: a kubeconfig is a map"), ("x: 1\nclusters: 7\n", "2:11: must be a list"),
    ("users:\n- {user: {}}\n", "2:3: entry without a name"), ("a: 1\n---\nb: 1\n", " has several documents"),
    ("a: .inf\n", "1:4"), ("base: &b {a: 1}\nmore: *b\n", "1:7"), ("\tx: 1\n", "1:"),
])
def test_what_cannot_be_parsed_stops_it_and_stays(home, text, place):
    home.put(text)
    done = home.merge("demo", rc=1)
    assert f"{home.config}:{place}" in done.stderr and "\nhint: " in done.stderr, done.stderr
    assert home.config.read_text() == text and home.left() == ["config"]


def test_a_file_in_the_list_that_cannot_be_parsed_stops_it_too(home):
    (home.folder / "bad").write_text("{")
    done = home.merge("demo", rc=1, KUBECONFIG="good:bad")
    assert "bad:2:1: " in done.stderr and not (home.folder / "good").exists()


def test_a_file_that_may_not_be_written_is_said(home):
    home.put(mode=0o400)
    assert "config: Permission denied" in home.merge("demo", rc=4).stderr
    assert home.config.read_text() == FOREIGN and "config.lock" not in home.left()


def test_json_files_stay_json(home):
    home.put(json.dumps({**SOURCE, "mine": [1, "1"]}))
    home.merge("demo")
    now = json.loads(home.config.read_text())
    assert now["mine"] == [1, "1"] and entries(now).keys() == {"c", "prestoctl-demo"}


# --- which file -------------------------------------------------------------------------------------------------------

LISTS = [
    ("a", {}), ("a:b", {}), ("a:b:c", {"b": ""}), ("a:b", {"a": "", "b": ""}), (":b::a:", {"a": ""}), ("a:a:b", {}),
    ("b:a", {"a": "", "b": "X"}), ("a:b:c", {"a": "", "b": "X", "c": "X"}), ("deep/er/a:b", {}), ("b:deep/er/a", {}),
]
X = {"apiVersion": "v1", "kind": "Config", "current-context": "old",
     "clusters": [{"name": "prestoctl-x", "cluster": {"server": "https://elsewhere"}}]}


@needs_kubectl
@pytest.mark.parametrize("kubeconfig, files", LISTS)
def test_the_file_is_the_one_that_kubectl_chooses(tmp_path, kubeconfig, files):
    """Both do the same in a folder of their own; then the same files must have the same entries."""
    seen = []
    for program in ("kubectl", "prestoctl"):
        (tmp_path / program).mkdir()
        home = Home(tmp_path / program)
        for name, text in files.items():
            (home.folder / name).write_text(json.dumps(X) if text == "X" else text)
        if program == "kubectl":
            for what in (("set-cluster", "prestoctl-x", "--server=https://127.0.0.1:1"), ("set-context", "prestoctl-x"),
                         ("set-credentials", "prestoctl-x", "--token=t"), ("use-context", "prestoctl-x")):
                home.kubectl("config", *what, KUBECONFIG=kubeconfig)
        else:
            home.merge("x", "--set-current", KUBECONFIG=kubeconfig)
        found = {}
        for file in home.folder.rglob("*"):
            if file.is_file() and file.name in ("a", "b", "c"):
                doc = yaml.safe_load(file.read_text()) or {}
                found[file.name] = [doc.get("current-context") or "", *(
                    sorted(e["name"] for e in doc.get(s) or []) for s in ("clusters", "users", "contexts"))]
        seen.append(found)
    assert seen[0] == seen[1], seen


@needs_kubectl
def test_a_file_of_its_own_can_be_named(home):
    done = home.merge("demo", "--into", "ci.kubeconfig", KUBECONFIG="other")
    assert "kubectl --kubeconfig ci.kubeconfig --context prestoctl-demo get pods" in done.stdout
    assert home.contexts(KUBECONFIG="ci.kubeconfig") == ["prestoctl-demo"]
    assert not (home.folder / "other").exists() and not home.config.exists()


# --- what goes again --------------------------------------------------------------------------------------------------

@needs_kubectl
def test_removal_takes_what_was_merged_from_every_file_and_nothing_else(home):
    home.put()
    home.merge("demo", "--set-current")
    home.merge("demo", "--into", "ci.kubeconfig")
    home.merge("other")
    home.kubectl("config", "set-context", "prestoctl-demo", "--namespace=mine")  # also writes all of it in its own way
    done = json.loads(home.run("-f", "demo.yaml", "--remove", "-o", "json").stdout)
    assert [(r["file"], r["context"], r["stays"]) for r in done["removed"]] == [
        (str(home.config), "prestoctl-demo", 0), (str(home.folder / "ci.kubeconfig"), "prestoctl-demo", 0)]
    assert home.contexts() == ["old", "prestoctl-other"] and home.contexts(KUBECONFIG="ci.kubeconfig") == []
    assert yaml.safe_load(home.config.read_text())["current-context"] == ""
    assert "nothing of demo is in a kubeconfig" in home.run("-f", "demo.yaml", "--remove").stdout


@needs_kubectl
def test_what_somebody_has_changed_stays(home):
    home.merge("demo")
    home.kubectl("config", "set-cluster", "prestoctl-demo", "--server=https://mine")
    done = home.run("-f", "demo.yaml", "--remove")
    assert "was changed by somebody, and stays in" in done.stdout and home.contexts() == ["prestoctl-demo"]


def test_what_cannot_be_remembered_is_not_merged(home):
    """Otherwise a process that is killed in between would leave an entry that nobody takes away."""
    records = home.folder / ".local/state/prestoctl/demo/kubeconfigs"
    records.mkdir(parents=True)
    assert "remembering what was merged" in home.merge("demo", rc=1).stderr and not home.config.exists()
    records.rmdir()
    home.merge("demo", "--into", "new")
    assert json.loads(records.read_text())["file"] == str(home.folder / "new")


def test_a_file_that_is_gone_or_broken_ends_no_removal(home):
    home.merge("demo", "--into", "gone")
    home.merge("demo", "--into", "broken")
    home.merge("demo")
    (home.folder / "gone").unlink()
    (home.folder / "broken").write_text("{")
    done = home.run("-f", "demo.yaml", "--remove", rc=1)
    assert "broken:2:1: " in done.stderr and "is gone from" in done.stdout
    assert "prestoctl-demo" not in home.config.read_text()


def test_no_secret_is_remembered(home):
    home.merge("demo", "-v")
    for file in (home.folder / ".local").rglob("*"):
        assert file.is_dir() or "sesame" not in file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == (0o700 if file.is_dir() else 0o600)


# --- options ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("args, message", [
    (("--print", "--remove"), "exclude each other"), (("--write", "x", "--set-current"), "exclude each other"),
    (("--into", "x", "--print"), "exclude each other"), (("--force",), "--force belongs to --write"),
    (("--remove",), "--remove wants the name of an environment"),
])
def test_options_that_do_not_go_together(home, args, message):
    assert message in home.merge(None, *args, rc=2).stderr


def test_printing_touches_no_file(home):
    done = home.merge(None, "--print")
    assert yaml.safe_load(done.stdout)["current-context"] == "prestoctl" and done.stderr == ""
    assert not home.config.parent.exists()
    assert entries(json.loads(home.merge(None, "--print", "-o", "json").stdout)).keys() == {"prestoctl"}


# --- many at once -----------------------------------------------------------------------------------------------------

@needs_kubectl
def test_a_hundred_at_once_lose_none(home):
    home.put()
    for n in range(100):
        home.environment(f"e{n}")
    running = [subprocess.Popen([PRESTOCTL, "kubeconfig", "-f", f"e{n}.yaml"], cwd=home.folder, env=home.env(),
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for n in range(100)]
    failed = [p.communicate(timeout=120)[1] for p in running if p.wait(120)]
    assert not failed
    assert set(home.contexts()) == {"old"} | {f"prestoctl-e{n}" for n in range(100)}
    assert home.left() == ["config", "config.prestoctl-backup"]
    removed = [subprocess.Popen([PRESTOCTL, "kubeconfig", "-f", f"e{n}.yaml", "--remove"], cwd=home.folder, env=home.env(),
                                stdout=subprocess.DEVNULL) for n in range(0, 100, 10)]
    assert not any(p.wait(60) for p in removed)
    assert len(home.contexts()) == 91


def kubectl_until_it_works(home, name):
    """It does not wait for a lock, it fails; then one asks again."""
    for _ in range(2000):
        done = home.kubectl("config", "set-cluster", name, "--server=https://k", check=False)
        if done.returncode == 0:
            return name
        assert "file exists" in done.stderr, done.stderr
        time.sleep(0.01)
    raise AssertionError("kubectl never got the lock")


@needs_kubectl
def test_what_kubectl_writes_meanwhile_is_never_lost(home):
    """kubectl reads before it locks, and may undo what came in between: so ours are counted when it has ended."""
    home.put()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ours = [pool.submit(home.merge, f"e{n}") for n in range(24)]
        theirs = [kubectl_until_it_works(home, f"k{n}") for n in range(12)]
        for one in ours:
            one.result()
    doc = yaml.safe_load(home.config.read_text())
    assert set(theirs) <= entries(doc, "clusters").keys() and "old" in entries(doc)
    for n in range(24):
        home.merge(f"e{n}")
    assert {f"prestoctl-e{n}" for n in range(24)} <= set(home.contexts())
    assert home.left() == ["config", "config.prestoctl-backup"]


def test_a_lock_is_waited_for(home):
    lock = home.put().with_name("config.lock")
    lock.write_text("")
    with subprocess.Popen([PRESTOCTL, "kubeconfig", "--kubeconfig", "source"], cwd=home.folder, env=home.env(),
                          stdout=subprocess.PIPE, text=True) as waiting:
        time.sleep(1)
        assert waiting.poll() is None and home.config.read_text() == FOREIGN
        lock.unlink()
        assert waiting.wait(10) == 0
    assert home.left() == ["config", "config.prestoctl-backup"]


def test_a_wait_ends_with_the_time_of_the_command_and_with_ctrl_c(home):
    home.put().with_name("config.lock").write_text("")
    done = home.merge(None, "--timeout", "1s", rc=3)
    assert home.config.read_text() == FOREIGN and "timed out" in done.stderr.lower() or "time" in done.stderr
    with subprocess.Popen([PRESTOCTL, "kubeconfig", "--kubeconfig", "source"], cwd=home.folder, env=home.env(),
                          stderr=subprocess.DEVNULL) as waiting:
        time.sleep(0.5)
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(10) == 130
    assert home.left() == ["config", "config.lock"]


def test_the_lock_of_a_dead_kubectl_is_removed_and_that_is_said(home):
    lock = home.put().with_name("config.lock")
    lock.write_text("")
    lock.chmod(0)
    os.utime(lock, (time.time() - 60, time.time() - 60))
    began = time.monotonic()
    done = home.merge("demo")
    assert "config.lock was left behind by a kubectl that has died: removed" in done.stderr
    assert 2 <= time.monotonic() - began < 10 and not lock.exists()


@needs_kubectl
def test_a_killed_prestoctl_keeps_nobody_waiting(home):
    """Killed at every place of a merge, by turns: the file is always whole, and the next one gets through."""
    home.put()
    for n in range(12):
        with subprocess.Popen([PRESTOCTL, "kubeconfig", "-f", home.environment(f"e{n}")], cwd=home.folder, env=home.env(),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as one:
            time.sleep(0.004 * n)
            one.kill()
        assert "old" in home.contexts()
    began = time.monotonic()
    done = home.merge("last")
    assert time.monotonic() - began < 5, done.stderr
    assert {"old", "prestoctl-last"} <= set(home.contexts()) and "config.lock" not in home.left()


# --- clusters of Google, up --kubeconfig and up --junit ---------------------------------------------------------------

class Api(http.server.BaseHTTPRequestHandler):
    """An API server that has a version and nothing else, and allows nothing: `up` ends at the rights."""

    tokens = []

    def do_GET(self):
        self.tokens.append(self.headers.get("Authorization", "").removeprefix("Bearer "))
        body = {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not there"}
        if self.path.startswith("/version"):
            body = {"gitVersion": "v1.30.0", "major": "1", "minor": "30"}
        self.answer(body)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer({"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "no"})

    do_PATCH = do_POST

    def answer(self, body):
        data = json.dumps(body).encode()
        self.send_response(body.get("code", 200))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args):
        pass


@pytest.fixture(scope="module", name="google")
def _google(tmp_path_factory):
    with Google(tmp_path_factory.mktemp("google"), scale=3000) as google:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pathlib.Path(google.ca).parent / "server.pem", pathlib.Path(google.ca).parent / "server.key")
        api = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
        api.socket = context.wrap_socket(api.socket, server_side=True)
        threading.Thread(target=api.serve_forever, daemon=True).start()
        google.backends = [{"endpoint": f"127.0.0.1:{api.server_port}", "caFile": google.ca}]
        yield google
        api.shutdown()


class Gke(Home):
    """An environment of provider gke; `up` makes its cluster and fails later."""

    name = "gke_demo-proj_us-central1-a_demo"

    def __init__(self, folder, google):
        super().__init__(folder)
        self.google = google
        google.reset()
        google.configure(backends=google.backends)
        (folder / "gke.yaml").write_text(yaml.safe_dump({
            "apiVersion": "prestoctl/v1", "kind": "Environment", "name": "demo",
            "cluster": {"provider": "gke", "gke": {"project": "demo-proj", "location": "us-central1-a", "nodePools": [
                {"name": "workers", "machineType": "e2-standard-4", "count": 2}]}},
            "operator": {"image": "registry.example/presto-operator:1"},
            "presto": {"metadata": {"name": "example"}, "spec": {
                "coordinator": {"cpuRequest": "1", "memoryAllocation": "2Gi"},
                "worker": {"count": 1, "cpuRequest": "1", "memoryAllocation": "2Gi"}}}}))

    def env(self, credential="sa", **more):
        env = self.google.env(self.folder, credential=credential, PRESTOCTL_SHORTEST_POLL="20ms")
        env.pop("KUBECONFIG")
        env.pop("XDG_CACHE_HOME", None)
        return {**env, "XDG_STATE_HOME": str(self.folder / "state"), **more}

    def ctl(self, *args, **env):
        done = subprocess.run([PRESTOCTL, *args], cwd=self.folder, env=self.env(**env), capture_output=True, text=True,
                              timeout=60, check=False)
        assert not self.google.secrets_in(done.stdout + done.stderr)
        return done

    def up(self, *args, **env):
        done = self.ctl("up", "-f", "gke.yaml", *args, **env)
        assert done.returncode in (1, 4) and "rights" in done.stderr, done
        return done


@pytest.fixture(name="gke")
def _gke(tmp_path, google):
    return Gke(tmp_path, google)


@needs_kubectl
def test_kubectl_reaches_a_cluster_of_google_by_our_plugin_alone(gke, google):
    gke.up("--kubeconfig", "--junit", "report.xml")
    (user,) = yaml.safe_load(gke.config.read_text())["users"]
    assert user == {"name": gke.name, "user": {"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": str(PRESTOCTL), "args": [
            "credential", "--credentials", google.credentials["sa"]],
        "interactiveMode": "Never", "installHint": user["user"]["exec"]["installHint"], "provideClusterInfo": False}}}
    assert gke.kubectl("config", "current-context").stdout.strip() == gke.name
    Api.tokens.clear()
    for credential in ("sa", None):                 # the login is in the entry: no variable is needed
        done = gke.kubectl("--context", gke.name, "get", "--raw", "/version", credential=credential)
        assert "v1.30.0" in done.stdout, done
    assert len(set(Api.tokens)) == 1 and google.secrets_in(Api.tokens[0]) == [Api.tokens[0]]
    cached = [f for f in gke.folder.rglob("*") if f.is_file() and google.secrets_in(f.read_text(errors="replace"))]
    assert len(cached) == 1 and cached[0].parent == gke.folder / ".cache/prestoctl/tokens"


def test_an_entry_says_how_to_log_in_again(gke, google):
    deploy = "deploy@demo-proj.iam.gserviceaccount.com"
    gke.up()
    for args, credential, want in [
            (("--impersonate-service-account", deploy), "sa", ["--credentials", google.credentials["sa"],
                                                               "--impersonate-service-account", deploy]),
            ((), "token", ["--access-token-file", google.credentials["token"]]),
            (("--credentials", google.credentials["user"]), None, ["--credentials", google.credentials["user"]]),
            ((), "metadata", [])]:
        done = gke.ctl("kubeconfig", "demo", "-o", "json", *args, credential=credential)
        assert json.loads(done.stdout)["context"] == gke.name, done
        (user,) = yaml.safe_load(gke.config.read_text())["users"]
        assert user["user"]["exec"]["args"] == ["credential", *want]
    shutil.rmtree(gke.folder / "state")                                                 # what is remembered is not needed
    done = gke.ctl("kubeconfig", "-f", "gke.yaml", "--print", "-o", "json")
    assert json.loads(done.stdout)["current-context"] == gke.name, done


def cases(file):
    suite = xml.etree.ElementTree.parse(file).getroot().find("testsuite")
    found = {c.get("name"): next((child.tag for child in c), "passed") for c in suite}
    assert [suite.get(k) for k in ("tests", "failures")] == [str(len(found)), str(list(found.values()).count("failure"))]
    return found


def test_junit_has_a_case_per_step_also_of_a_run_that_fails(gke):
    gke.up("--junit", "report.xml")
    found = cases(gke.folder / "report.xml")
    assert list(found)[:4] == ["environment file", "cluster", "api", "rights"]
    assert found["cluster"] == found["api"] == "passed" and found["rights"] == "failure" and found["sql"] == "skipped"


def test_junit_of_a_bad_file_and_of_one_that_cannot_be_written(gke):
    (gke.folder / "gke.yaml").write_text("name: [\n")
    assert gke.ctl("up", "-f", "gke.yaml", "--junit", "report.xml").returncode == 2
    found = cases(gke.folder / "report.xml")
    assert found.pop("environment file") == "failure" and set(found.values()) == {"skipped"}
    done = gke.ctl("up", "-f", "gke.yaml", "--junit", "nowhere/report.xml")
    assert done.returncode == 2 and "no JUnit report: " in done.stderr


def test_junit_of_an_interrupted_run(gke, google):
    google.fault(match={"method": "POST", "path": "*/clusters"}, hang=20)
    with subprocess.Popen([PRESTOCTL, "up", "-f", "gke.yaml", "--junit", "report.xml"], cwd=gke.folder, env=gke.env(),
                          stderr=subprocess.DEVNULL) as run:
        while not any(r["method"] == "POST" and r["path"].endswith("/clusters") for r in google.requests()):
            time.sleep(0.05)
            assert run.poll() is None
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
    assert cases(gke.folder / "report.xml")["cluster"] == "failure"
    google.control("DELETE", "faults")


def test_up_merges_into_a_named_file_only_after_the_api_has_answered(gke, google):
    google.fault(preset="denied", match={"method": "POST", "path": "*/clusters"}, times=1)
    assert gke.ctl("up", "-f", "gke.yaml", "--kubeconfig", "mine").returncode != 0 and not (gke.folder / "mine").exists()
    gke.up("--kubeconfig", "mine")
    assert list(entries(yaml.safe_load((gke.folder / "mine").read_text()))) == [gke.name]
    assert not gke.config.exists()
    (gke.folder / "mine").write_text("{")
    assert "mine:2:1" in gke.up("--kubeconfig=mine").stderr


def test_for_an_existing_cluster_up_reads_the_file_that_is_named(home):
    file = home.environment("demo")
    (home.folder / "else").write_text(json.dumps(SOURCE).replace("127.0.0.1:1", "127.0.0.1:2"))
    for args, code, said in [((), 2, "--kubeconfig needs a value"), (("else",), 1, "127.0.0.1:2")]:
        done = subprocess.run([PRESTOCTL, "up", "-f", file, "--timeout", "2s", "--kubeconfig", *args], cwd=home.folder,
                              env=home.env(XDG_STATE_HOME=str(home.folder / "state")), capture_output=True, text=True,
                              timeout=30, check=False)
        assert said in done.stderr and done.returncode in (code, 3), done
    assert not home.config.exists()


def test_down_takes_away_what_was_merged_unless_the_cluster_is_to_stay(home, google):
    """The API server has nothing, so there is nothing else to do."""
    source = json.loads(json.dumps(SOURCE).replace("127.0.0.1:1", google.backends[0]["endpoint"]))
    source["clusters"][0]["cluster"]["certificate-authority"] = google.ca
    (home.folder / "source").write_text(json.dumps(source))
    for options, left, said in [(("--keep-cluster",), ["prestoctl-demo"], ""), ((), [], "context prestoctl-demo is gone from"),
                                (("-o", "json"), ["prestoctl-demo"], "somebody has changed it")]:
        home.merge("demo")
        if "json" in options:
            home.config.write_text(home.config.read_text().replace("sesame", "simsim"))
        done = subprocess.run([PRESTOCTL, "down", "-f", "demo.yaml", *options], cwd=home.folder, env=home.env(),
                              capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0 and said in done.stdout + done.stderr, done
        assert list(entries(yaml.safe_load(home.config.read_text()))) == left
