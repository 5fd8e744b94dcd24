"""prestoctl beside gcloud and its plugin, at one stand-in for Google, in alternating pairs.

What is compared:
- `prestoctl list` with `gcloud container clusters list`: the same request, a table on stdout.
- `prestoctl status` with `gcloud container clusters describe`: both get the cluster; status then also asks its API server
  after everything that is Presto's, so it does more.
- The step "cluster" of `prestoctl up` with `gcloud container clusters create`: how long after the operation's end they
  know of it. gcloud's own start is not in it, nor is ours.
- `prestoctl credential` with a token in its cache with the plugin. The bound is on the plugin that has to get its token,
  as it must once an hour; the plugin with a cache of its own is shown beside it.
"""
import calendar
import contextlib
import json
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRESTOCTL = str(ROOT / "build/release/prestoctl")
sys.path.insert(0, str(ROOT / "tests/peers/google"))

from client import Google  # noqa: E402

PROJECT, ZONE = "demo-proj", "us-central1-a"
ROUNDS = 7
OPERATIONS = ((2, 3), (6, 3), (13, 2), (40, 1))     # seconds, how many pairs
INFO = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1beta1", "spec": {"interactive": False}}
FILE = """\
apiVersion: prestoctl/v1
kind: Environment
name: {name}
cluster:
  provider: gke
  gke:
    project: {project}
    name: {name}
    location: {zone}
presto:
  metadata:
    name: example
  spec:
    coordinator: {{cpuRequest: "1", memoryAllocation: 2Gi}}
    worker: {{count: 1, cpuRequest: "1", memoryAllocation: 2Gi}}
"""


def measured(argv, env, codes=(0,)):
    """(wall milliseconds, peak MiB); time(1) is small, so that the peak is the program's own."""
    with tempfile.NamedTemporaryFile("r") as f:
        start = time.monotonic()
        done = subprocess.run(["/usr/bin/time", "-f", "%M", "-o", f.name, *argv], env=env, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)
        wall = (time.monotonic() - start) * 1000
        if done.returncode not in codes:
            raise SystemExit(f"bench: {argv}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return wall, int(f.read().split()[-1]) / 1024


def pairs(ours, theirs, rounds=ROUNDS):
    """Medians of both, taken in turns after one of each that is not counted: (ms, MiB), (ms, MiB)."""
    taken = [(measured(*ours), measured(*theirs)) for _ in range(rounds + 1)][1:]
    return [tuple(statistics.median(run[side][k] for run in taken) for k in (0, 1)) for side in (0, 1)]


def compare(show, what, ours, theirs, wall=None, memory=None):
    """Bounds are parts of what theirs costs."""
    a, b = pairs(ours, theirs)
    show(f"{what}: wall", 100 * a[0] / b[0], "%", wall and 100 * wall, note=f"{a[0]:.0f} ms, theirs {b[0]:.0f} ms")
    show(f"{what}: peak", 100 * a[1] / b[1], "%", memory and 100 * memory, note=f"{a[1]:.0f} MiB, theirs {b[1]:.0f} MiB")


def operation_end(google, name):
    """Wall clock of the end of the operation that made a cluster, as Google tells it."""
    reply = google.http("GET", f"/v1/projects/{PROJECT}/locations/{ZONE}/operations", token=google.token)[1]
    [text] = [o["endTime"] for o in reply["operations"] if o["targetLink"].endswith(f"/clusters/{name}")]
    head, _, fraction = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(head, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction or 0}")


def gcloud_knows(google, env, name):
    done = subprocess.run(["gcloud", "container", "clusters", "create", name, f"--zone={ZONE}", "--quiet"], env=env,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SystemExit(f"bench: gcloud create: {done.stderr}")
    return time.time()


def prestoctl_knows(folder, env, name):
    """When the step is over; the rest of `up` is cut off."""
    file = pathlib.Path(folder, f"{name}.yaml")
    file.write_text(FILE.format(name=name, project=PROJECT, zone=ZONE))
    with subprocess.Popen([PRESTOCTL, "up", "-f", file, "--output", "json"], env=env, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as p:
        lines, over = [], None
        for line in p.stderr:
            lines.append(line)
            if '"cluster"' in line and '"done"' in line and over is None:
                over = time.time()
                p.send_signal(signal.SIGINT)
    if over is None:
        raise SystemExit(f"bench: prestoctl up: {''.join(lines)}")
    return over


def creates(google, folder, env, show):
    number = 0
    for seconds, rounds in OPERATIONS:
        late = {"prestoctl": [], "gcloud": []}
        for _ in range(rounds):
            for who in late:
                number += 1
                name = f"bench{number}"
                google.plan(match={"type": "CREATE_CLUSTER", "cluster": name}, seconds=seconds)
                knows = prestoctl_knows(folder, env, name) if who == "prestoctl" else gcloud_knows(google, env, name)
                late[who].append(knows - operation_end(google, name))
                google.control("DELETE", "project", {"project": PROJECT})
        ours, theirs = (statistics.median(late[w]) for w in ("prestoctl", "gcloud"))
        show(f"create, operation of {seconds} s: known after its end", ours, "s", max(1.0, seconds / 8) + 0.1,     # the question itself takes a moment
             note=f"gcloud {theirs:.2f} s")


def bench(cluster_class, show):
    print("prestoctl with provider gke, beside gcloud and gke-gcloud-auth-plugin at one stand-in for Google")
    for tool in ("gcloud", "gke-gcloud-auth-plugin"):
        if not shutil.which(tool):
            print(f"  skipped: {tool} is not installed")
            return
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        google = stack.enter_context(Google(pathlib.Path(folder, "google"), scale=1))
        cluster = cluster_class("bench-gke", "--control-plane-only", "--token-webhook", f"{google.plain}/k8s/tokenreview")
        stack.callback(cluster.down)
        google.configure(backends=[{"kubeconfig": cluster.kubeconfig}])
        env = google.env(folder, "sa", XDG_STATE_HOME=f"{folder}/state", XDG_CACHE_HOME=f"{folder}/cache",
                         KUBERNETES_EXEC_INFO=json.dumps(INFO))
        creates(google, folder, env, show)
        google.plan(match={"type": "CREATE_CLUSTER"}, seconds=0.1)
        prestoctl_knows(folder, env, "shown")
        at = ["gcloud", "container", "clusters"]
        compare(show, "list / clusters list", ([PRESTOCTL, "list"], env), ([*at, "list"], env), 1 / 15, 1 / 5)
        compare(show, "status / clusters describe", ([PRESTOCTL, "status", "shown"], env, (0, 1)),
                ([*at, "describe", "shown", f"--zone={ZONE}"], env), 1 / 15, 1 / 5)
        credentials(folder, env, show)


def credentials(folder, env, show):
    plugin = ["gke-gcloud-auth-plugin"]
    bare = {k: v for k, v in env.items() if k != "GOOGLE_APPLICATION_CREDENTIALS"}
    cache = pathlib.Path(folder, "gke_gcloud_auth_plugin_cache")
    compare(show, "credential, cached / plugin that asks gcloud", ([PRESTOCTL, "credential"], env),
            (["sh", "-c", f"rm -f {cache}; exec gke-gcloud-auth-plugin"], bare), 1 / 50)
    compare(show, "credential, cached / plugin with a cache", ([PRESTOCTL, "credential"], env), (plugin, bare))
