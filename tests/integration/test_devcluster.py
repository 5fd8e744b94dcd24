"""scripts/devcluster: a real cluster that comes up, survives being killed, and leaves nothing."""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
DEVCLUSTER = TOP / "scripts" / "devcluster" / "devcluster"
sys.path.insert(0, str(DEVCLUSTER.parent))
sys.dont_write_bytecode = True

from dc import images, system          # noqa: E402  pylint: disable=wrong-import-position
from dc.net import Net                 # noqa: E402  pylint: disable=wrong-import-position
from dc.parts import Parts             # noqa: E402  pylint: disable=wrong-import-position
from dc.say import Fail                # noqa: E402  pylint: disable=wrong-import-position

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="nodes need root"),
    pytest.mark.skipif(not Parts().complete(), reason="the parts are not built: scripts/devcluster/devcluster build"),
]
WRITES = {"create", "update", "patch", "delete", "deletecollection"}


class Dev:
    """One named cluster in a state folder of its own."""

    def __init__(self, state, name):
        self.state, self.name = str(state), name
        self.env = {**os.environ, "DEVCLUSTER_STATE": self.state}

    def start(self, verb, *args):
        argv = [str(DEVCLUSTER), verb, "--name", self.name, "--output", "json", *map(str, args)]
        return subprocess.Popen(argv, env=self.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, verb, *args, status=0):
        """The last event of a command that must end with that status."""
        with self.start(verb, *args) as p:
            out, err = p.communicate(timeout=180)
        assert p.returncode == status, out + err
        return json.loads(out.splitlines()[-1])

    def killed_at(self, verb, step, delay, *args):
        """Runs a command and SIGKILLs it that long after a step has begun. False if it was too quick."""
        with self.start(verb, *args) as p:
            for line in p.stdout:
                event = json.loads(line)
                if event.get("name") == step and event.get("state") == "started":
                    break
            time.sleep(delay)
            p.kill()
            p.communicate()
        return p.returncode == -signal.SIGKILL

    def kubectl(self, *args, stdin=None, status=0):
        done = subprocess.run([str(DEVCLUSTER), "kubectl", "--name", self.name, *args], env=self.env, text=True,
                              input=stdin, capture_output=True, timeout=120, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def audit(self, since=0):
        with open(Path(self.state, self.name, "audit.log"), encoding="utf-8") as f:
            f.seek(since)
            return [json.loads(line) for line in f.read().splitlines() if line.endswith("}")]

    def traces(self):
        """All that a cluster may leave anywhere on the machine."""
        net, group, found = Net(self.name, "10.0.0.0/24"), f"devcluster-{self.name}", []
        found += [f"namespace {i}" for i in net.present()]
        found += [f"mount {m}" for m, _ in system.mounts() if m.startswith(f"{self.state}/{self.name}/") or group in m]
        found += [f"cgroup {f}" for f in system.cgroup_folders(group)]
        out = subprocess.run("ip -o link; ip route show table all", shell=True, capture_output=True, text=True,
                             check=True).stdout
        found += [f"link or route {line}" for line in out.splitlines() if net.host_link in line]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                text = Path(f"/proc/{pid}/cmdline").read_bytes() + os.readlink(f"/proc/{pid}/cwd").encode()
            except OSError:
                continue
            if f"{self.state}/{self.name}/".encode() in text + b"/":
                found.append(f"process {pid} {text!r}")
        found += [str(p) for p in Path(self.state).glob(f"{self.name}*")]
        for folder in ("/var/lib/cni/results", "/var/log/containers"):
            found += [str(p) for p in Path(folder).glob("*") if group in p.name or
                      p.is_symlink() and f"{self.state}/{self.name}/" in os.readlink(p)]
        return found


def wait_for(check, seconds=60):
    end = time.monotonic() + seconds
    while True:
        got = check()
        if got or time.monotonic() > end:
            return got
        time.sleep(0.1)


def served(dev):
    """The Service's answer to a pod on another node; retried, as a kubelet that has just started knows no pods."""
    def ask():
        try:
            return dev.kubectl("exec", "client", "--", "/probe", "get", "hello", "80")
        except AssertionError:
            return ""
    return wait_for(ask)


@pytest.fixture(scope="module", name="state")
def _state():
    folder = Path(f"/tmp/devcluster-test-{os.getpid()}")    # short: sockets live below it
    folder.mkdir(mode=0o700)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", name="dev")
def _dev(state):
    dev = Dev(state, f"t{os.getpid()}")
    dev.result = dev.run("up", "--nodes", 2)
    yield dev
    dev.run("down")


@pytest.fixture(scope="module", name="probe")
def _probe(state):
    cc = shutil.which("musl-gcc")
    assert cc, "musl-gcc is missing: apt-get install musl-tools"
    program = state / "probe"
    subprocess.run([cc, "-static", "-O1", "-o", program, Path(__file__).with_name("devcluster_probe.c")], check=True)
    tar = state / "probe.tar"
    images.write_image(str(tar), "localhost/probe:1", {"probe": program.read_bytes()}, ["/probe"])
    return tar


def pod(name, node, *args, volume=None):
    spec = {"nodeName": node, "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "localhost/probe:1", "imagePullPolicy": "IfNotPresent",
                            "args": list(args)}]}
    if volume:
        del spec["nodeName"]    # a claim is bound to a pod by the scheduler
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": volume}}]
        spec["containers"][0].update(volumeMounts=[{"name": "data", "mountPath": "/data"}],
                                     securityContext={"runAsUser": 0})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hello"},
           "spec": {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]}}
CLAIM = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "disk"},
         "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}}


@pytest.fixture(scope="module", name="pods")
def _pods(dev, probe):
    dev.run("load-image", probe)
    objects = [pod("server", "node1", "serve", "8080", "hello"), pod("client", "node0", "serve", "8079", "client"),
               SERVICE, CLAIM, pod("keeper", None, "keep", "/data/kept", "kept", volume="disk")]
    dev.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    dev.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=90s")
    return dev


# -- a cluster that runs -------------------------------------------------------------------------

def test_up_is_quick_and_says_where_everything_is(dev):
    assert dev.result["state"] == "running" and dev.result["changed"], dev.result
    assert dev.result["elapsed_ms"] < 90_000    # 6 s when nothing else runs
    assert os.stat(dev.result["kubeconfig"]).st_mode & 0o077 == 0
    assert os.stat(dev.result["folder"]).st_mode & 0o077 == 0
    assert dev.kubectl("version", "-o", "json").count("v1.34.") == 2


def test_second_up_changes_nothing(dev):
    before, mark = dev.run("status"), os.path.getsize(dev.result["audit_log"])
    again = dev.run("up")
    assert not again["changed"]
    assert again["components"] == before["components"]
    ours = [e for e in dev.audit(mark) if e["userAgent"] == "devcluster"]
    assert ours and not [e["requestURI"] for e in ours if e["verb"] in WRITES]


def test_audit_log_tells_users_and_omits_received(dev):
    events = dev.audit()
    assert {"system:node:node0", "system:node:node1", "system:kube-scheduler"} <= {e["user"]["username"] for e in events}
    assert "RequestReceived" not in {e["stage"] for e in events}
    assert {e["level"] for e in events} == {"Metadata"}


def test_nodes_sum_to_the_machine(dev):
    nodes = json.loads(dev.kubectl("get", "nodes", "-o", "json"))["items"]
    assert len(nodes) == 2

    def milli(cpu):
        return int(cpu[:-1]) if cpu.endswith("m") else int(cpu) * 1000
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert sum(milli(n["status"]["allocatable"]["cpu"]) for n in nodes) == os.cpu_count() * 1000
    total = sum(int(n["status"]["allocatable"]["memory"].removesuffix("Ki")) * 1024 for n in nodes)
    assert memory - (1 << 20) < total <= memory


def test_pod_resolves_and_reaches_a_service_on_another_node(pods):
    assert pods.kubectl("exec", "client", "--", "/probe", "resolve", "hello").startswith("10.96.")
    assert served(pods) == "hello\n"


def test_nothing_leaves_the_machine(pods):
    pods.kubectl("exec", "client", "--", "/probe", "resolve", "kubernetes.io", status=1)
    began = time.monotonic()
    pods.kubectl("exec", "client", "--", "/probe", "get", "192.0.2.1", "80", status=1)
    assert time.monotonic() - began < 60        # refused at once; a connection attempt times out after two minutes


def test_logs_and_exec_reach_every_node(pods):
    assert pods.kubectl("logs", "server") == "serving hello\n"
    assert pods.kubectl("logs", "client") == "serving client\n"
    assert pods.kubectl("exec", "server", "--", "/probe", "resolve", "kubernetes") == "10.96.0.1\n"


def test_claim_is_bound_and_data_lands_on_disk(pods):
    volume = pods.kubectl("get", "pv", "-o", "jsonpath={.items[0].spec.hostPath.path}")
    assert Path(volume, "kept").read_text(encoding="ascii") == "kept\n"


def test_image_already_there_is_skipped(pods, probe):
    again = pods.run("load-image", probe)
    assert not again["changed"] and again["images"] == ["localhost/probe:1"]


@pytest.mark.parametrize("dead", [{"etcd", "kube-apiserver"}, {"kube-controller-manager", "kube-scheduler", "coredns"},
                                  {"containerd-1", "kubelet-0", "kube-proxy-1"}], ids=lambda d: "+".join(sorted(d)))
def test_up_repairs_dead_components_under_running_pods(pods, dead):
    uids = pods.kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.uid}")
    components = pods.run("status")["components"]
    for name in dead:
        os.kill(components[name]["pid"], signal.SIGKILL)
    assert pods.run("status", status=1)["state"] == "degraded"
    assert set(pods.run("up")["started"]) == dead
    assert pods.kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.uid}") == uids
    assert served(pods) == "hello\n"
    assert set(pods.kubectl("get", "pods", "-o", "jsonpath={.items[*].status.containerStatuses[*].restartCount}").split()) \
        == {"0"}


def test_up_repairs_a_lost_namespace(pods):
    subprocess.run(["ip", "netns", "del", f"devcluster-{pods.name}.1"], check=True)
    assert {"containerd-1", "kubelet-1", "kube-proxy-1"} <= set(pods.run("up")["started"])
    pods.kubectl("wait", "--for=condition=Ready", "pod", "server", "--timeout=90s")
    assert served(pods) == "hello\n"


def test_node_is_taken_away_and_comes_back(pods):
    assert [n["name"] for n in pods.run("up", "--nodes", 1)["nodes"]] == ["node0"]
    assert not [t for t in pods.traces() if t == "namespace 1" or "node1" in t or f"{pods.name}.1" in t]
    assert len(pods.run("up", "--nodes", 2)["nodes"]) == 2


# -- killed ----------------------------------------------------------------------------------------

def test_killed_at_any_step_up_repairs_and_down_cleans(state):
    dev = Dev(state, f"k{os.getpid()}")
    try:
        for step, delay in (("network", 0.01), ("network", 0.06), ("certificates", 0.05), ("certificates", 0.2),
                            ("api server", 0.05), ("api server", 0.5), ("components", 0.05), ("components", 0.2),
                            ("controllers", 0.1), ("nodes", 0.0)):
            dev.killed_at("up", step, delay)
        assert dev.run("up")["state"] == "running"
        assert not dev.run("up")["changed"]
        dev.killed_at("down", "mounts and files", 0.05)
        assert dev.run("up")["state"] == "running"
        for step in ("processes", "mounts and files", "network and groups", "state"):
            dev.killed_at("down", step, 0.01)
    finally:
        dev.run("down")
    assert not dev.traces()


def test_down_leaves_nothing_of_a_cluster_with_pods_and_volumes(state, probe):
    dev = Dev(state, f"d{os.getpid()}")
    try:
        dev.run("up")
        dev.run("load-image", probe)
        objects = [CLAIM, pod("keeper", None, "keep", "/data/kept", "kept", volume="disk")]
        dev.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        dev.kubectl("wait", "--for=condition=Ready", "pod", "keeper", "--timeout=90s")
        volume = dev.kubectl("get", "pv", "-o", "jsonpath={.items[0].spec.hostPath.path}")
        assert dev.traces() and Path(volume).exists()
        results = Path("/var/lib/cni/results")
        sandboxes = [p.name.split("-")[-2] for p in results.glob(f"devcluster-{dev.name}.*-eth0")]
        assert sandboxes
    finally:
        assert dev.run("down")["elapsed_ms"] < 60_000
    assert not dev.traces() and not Path(volume).exists()
    assert not [p for p in results.iterdir() if p.name.split("-")[-2] in sandboxes]
    if not list(Path("/sys/fs/cgroup").glob("**/devcluster-*/node0")):      # it was the last with nodes
        assert not Path("/run/prestoctl-devcluster-kernel.json").exists()
    assert not dev.run("down")["changed"]


# -- control plane only ------------------------------------------------------------------------------

def test_control_planes_stand_side_by_side_without_namespaces(state):
    one, two = Dev(state, f"a{os.getpid()}"), Dev(state, f"b{os.getpid()}")
    try:
        with one.start("up", "--control-plane-only") as p1, \
                two.start("up", "--control-plane-only", "--with-controllers") as p2:
            out = [p.communicate(timeout=60)[0] for p in (p1, p2)]
        assert p1.returncode == p2.returncode == 0, out
        assert not [t for t in one.traces() + two.traces() if "namespace " in t or "link" in t]
        one.kubectl("create", "configmap", "here")
        assert "here" not in two.kubectl("get", "configmaps", "-o", "name")
        assert "kube-root-ca.crt" in two.kubectl("get", "configmaps", "-o", "name")
        assert [e for e in one.audit() if e["verb"] == "create" and e.get("objectRef", {}).get("name") == "here"]
        assert not one.run("up")["changed"]
    finally:
        one.run("down")
        two.run("down")
    assert not one.traces() + two.traces()


def test_control_plane_needs_no_root(state, tmp_path):
    cache = tmp_path / "cache"
    shutil.copytree(Parts().folder, cache / "devcluster" / Parts().key, copy_function=os.link, symlinks=True)
    home = state / "nobody"
    home.mkdir(parents=True)        # `down` of the last cluster took the state folder along
    os.chown(home, 65534, 65534)
    for folder in (state, tmp_path, *tmp_path.parents[:3]):
        os.chmod(folder, 0o755) if folder != Path("/tmp") else None
    env = {**os.environ, "HOME": str(home), "PRESTOCTL_CACHE": str(cache)}
    env.pop("DEVCLUSTER_STATE", None)

    def nobody(*args):
        return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable,
                               str(DEVCLUSTER), *args], env=env, capture_output=True, text=True, timeout=180,
                              check=False)
    try:
        done = nobody("up", "--control-plane-only")
        assert done.returncode == 0, done.stderr
        assert "kube-system" in nobody("kubectl", "get", "namespaces").stdout
        refused = nobody("up", "--nodes", "1", "--name", "x")
        assert refused.returncode == 1 and "need root" in refused.stderr
    finally:
        assert nobody("down").returncode == 0
    assert not (home / ".local/state/prestoctl-devcluster").exists()


# -- what bad input gets -----------------------------------------------------------------------------

def test_refusals_are_one_line_with_a_remedy(state, tmp_path):
    dev = Dev(state, f"r{os.getpid()}")
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    junk = tmp_path / "junk.tar"
    junk.write_bytes(b"\0not a tar" * 100)
    host = json.loads(subprocess.run(["ip", "-j", "-4", "route"], capture_output=True, check=True).stdout)
    busy = next((r["dst"] for r in host if "/" in r["dst"] and int(r["dst"].split("/")[1]) <= 26), "127.0.0.0/8")
    table = [
        (2, "from 1 to", "up", "--nodes", 0),
        (2, "too small", "up", "--cidr", "100.64.0.0/29"),
        (2, "overlaps", "up", "--cidr", "10.244.0.0/16"),
        (2, "--cidr", "up", "--cidr", "fish"),
        (1, f"addresses {busy} are in use by the route to", "up", "--cidr", busy),
        (1, f"port {port} of 127.0.0.1 is in use by", "up", "--control-plane-only", "--port", port),
        (1, "is not there", "load-image", junk),
        (1, "is not there", "kubeconfig"),
        (1, "has no logs", "logs"),
        (2, "--help", "dance"),
    ]
    for status, text, verb, *args in table:
        event = dev.run(verb, *args, status=status)
        assert event["event"] == "error" and text in event["message"] + event["hint"], event
        assert event["hint"] and "\n" not in event["message"]
    taken.close()
    assert not dev.run("down")["changed"] or not dev.traces()


def test_same_name_in_another_state_folder_is_refused(dev, tmp_path):
    other = Dev(tmp_path, dev.name)
    assert dev.state in other.run("up", "--control-plane-only", status=1)["message"]
    assert dev.state in other.run("down", status=1)["message"]
    assert dev.run("status")["state"] == "running"


# -- image archives ----------------------------------------------------------------------------------

def rewrite(path, to, change):
    """Copies an archive with some files changed; None drops one."""
    with tarfile.open(path) as tar, tarfile.open(to, "w") as out:
        for m in tar:
            data = change(m.name, tar.extractfile(m).read())
            if data is not None:
                m.size = len(data)
                out.addfile(m, io.BytesIO(data))
    return str(to)


def without_names(name, data):
    if name == "index.json":
        index = json.loads(data)
        index["manifests"][0]["annotations"] = {images.REF: "1"}
        return json.dumps(index).encode()
    return data


def test_archive_names_come_from_whichever_index_has_them(tmp_path):
    plain = str(tmp_path / "plain.tar")
    images.write_image(plain, "localhost/x:1", {"x": b"x"}, ["/x"])
    again = str(tmp_path / "again.tar")
    images.write_image(again, "localhost/x:1", {"x": b"x"}, ["/x"])
    assert Path(plain).read_bytes() == Path(again).read_bytes()
    assert list(images.Archive(plain).images) == ["localhost/x:1"]
    nameless = images.Archive(rewrite(plain, tmp_path / "nameless.tar", without_names))
    assert nameless.images == images.Archive(plain).images and nameless.rename
    docker = images.Archive(rewrite(plain, tmp_path / "docker.tar",
                                    lambda n, d: None if n in ("index.json", "oci-layout") else d))
    assert docker.images == {"localhost/x:1": None}
    with pytest.raises(Fail):
        images.Archive(rewrite(plain, tmp_path / "no.tar", lambda n, d: None if n.endswith(".json") else d))


def test_nameless_and_docker_archives_load_under_their_names(dev, state, probe):
    nameless = rewrite(probe, state / "nameless.tar",
                       lambda n, d: without_names(n, d.replace(b"localhost/probe:1", b"localhost/other:1")))
    assert dev.run("load-image", nameless)["images"] == ["localhost/other:1"]
    docker = rewrite(probe, state / "docker.tar", lambda n, d: None if n in ("index.json", "oci-layout") else
                     d.replace(b"localhost/probe:1", b"localhost/third:1"))
    assert dev.run("load-image", docker)["changed"]
    for i in range(2):
        text = subprocess.run(["ctr", "-a", f"{dev.result['folder']}/node{i}/containerd.sock", "-n", "k8s.io", "images",
                               "ls", "-q"], capture_output=True, text=True, check=True).stdout
        assert "localhost/other:1\n" in text and "localhost/third:1\n" in text
