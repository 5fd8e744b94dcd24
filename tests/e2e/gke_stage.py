"""The stand-in for Google with a cluster that is real: it hands out a development cluster's API server, which asks it
about tokens, and what Services and volumes in there would cost is mirrored into its ledger."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from stage import BIN, IMAGES, ROOT, Stage, until
from dc.net import Net, choose_cidr

sys.path.insert(0, str(ROOT / "tests" / "peers" / "google"))

from client import Google               # noqa: E402  pylint: disable=wrong-import-position

PROJECT, LOCATION, CLUSTER = "demo-proj", "us-central1-a", "demo"
AT = f"projects/{PROJECT}/locations/{LOCATION}/clusters"
# Gone with a real cluster; here the API server outlives the clusters that it plays.
MADE = (("delete", "namespace", "presto", "--ignore-not-found", "--timeout=120s"),
        ("delete", "crd", "prestos.starburstdata.com", "--ignore-not-found", "--timeout=60s"),
        ("-n", "kube-system", "delete", "configmap", "prestoctl-cluster", "--ignore-not-found"))


class GkeStage(Stage):
    """Google's project, the machine's only cluster as GKE's, and prestoctl logged in by a service account's key."""

    def __init__(self, tmp, name, scale=100):
        net = Net(name, choose_cidr(None, Net(name, "10.0.0.0/24").host_link))
        self.operator = ""
        super().__init__(tmp, name)
        self.cidr, self.home = str(net.cidr), self.tmp / "home"
        self.home.mkdir(mode=0o700, exist_ok=True)
        self.google = Google(self.tmp / "google", scale=scale, also=[net.gateway(0)])
        self.webhook = f"{self.google.plain.replace('127.0.0.1', net.gateway(0))}/k8s/tokenreview/{PROJECT}/{LOCATION}/{CLUSTER}"
        ours = {k: v for k, v in self.env.items() if k.startswith(("PRESTOCTL_", "DEVCLUSTER_", "XDG_"))}
        self.env = self.google.env(self.home, "sa") | ours | {"XDG_CACHE_HOME": str(self.home / "cache")}
        # The parts and images of the development cluster are found by this, not by the cache folder of the test's user.
        self.env.setdefault("PRESTOCTL_CACHE", os.environ.get("PRESTOCTL_CACHE", os.path.expanduser("~/.cache/prestoctl")))
        self.kubeconfig = Path(self.env["KUBECONFIG"])

    def bring_up(self):
        """The cluster that Google will hand out, with the images that its nodes would pull."""
        told = self.devcluster("up", "--cidr", self.cidr, "--token-webhook", self.webhook)
        for image in ("presto", "presto-operator"):
            path = subprocess.run([IMAGES, "--bin-dir", BIN, "path", image], env=self.env, text=True, capture_output=True,
                                  check=True).stdout.strip()
            self.operator = self.devcluster("load-image", path)["images"][-1]
        # A kubelet looks every half minute what images it has, and when it starts.
        os.kill(self.devcluster("status")["components"]["kubelet-0"]["pid"], signal.SIGTERM)
        self.devcluster("up")
        until(lambda: self.operator in self.images(), 60, f"the node says that it has {self.operator}")
        self.google.configure(backends=[{"kubeconfig": told["kubeconfig"], "mirror": True}])
        self.write_file(self.environment())

    def images(self):
        [node] = self.kube.get("/api/v1/nodes")["items"]
        return {name for image in node["status"].get("images", []) for name in image["names"]}

    def environment(self, **spec):
        """One worker, in a zonal cluster of one pool."""
        env = super().environment(**{"worker": {"count": 1}, **spec})
        env["presto"]["spec"]["readinessProbe"] |= {"initialDelaySeconds": 5, "periodSeconds": 2}
        env["cluster"] = {"provider": "gke", "gke": {
            "project": PROJECT, "name": CLUSTER, "location": LOCATION,
            "nodePools": [{"name": "workers", "machineType": "e2-standard-4", "count": 2}]}}
        # The nodes have their images from the start, and reach no registry.
        env["operator"]["imagePullPolicy"] = env["presto"]["spec"]["image"]["pullPolicy"] = "Never"
        if self.operator:
            env["operator"]["image"] = self.operator
        return env

    # --- Google

    def project(self):
        return self.google.ledger()["projects"][PROJECT]

    def pools(self):
        """{pool: nodes per zone} of the one cluster that there is."""
        [one] = self.project()["clusters"]
        return {name: pool["nodesPerZone"] for name, pool in one["nodePools"].items()}

    def mark(self):
        """A place in the log of requests."""
        return max((e["n"] for e in self.google.requests()), default=0)

    def google_writes(self, since):
        """What was asked of Google that changes something; logins do not."""
        return [f"{e['method']} {e['path']}: {e['status']}" for e in self.google.writes(since)]

    def empty_the_backend(self):
        for args in MADE:
            self.kubectl(*args)

    def nothing_left(self):
        """Neither at Google, nor of Presto in the cluster, nor in our own memory."""
        assert self.google.ledger()["empty"], json.dumps(self.project(), indent=1)
        assert not (self.kube.get("/apis/starburstdata.com/v1/prestos") or {"items": []})["items"]
        assert not list(self.state.rglob("state.json"))

    # --- secrets

    @contextlib.contextmanager
    def watched(self):
        """Yields a list that gets the command line of every program that runs meanwhile."""
        seen, over = set(), threading.Event()

        def sample():
            while not over.is_set():
                for pid in filter(str.isdigit, os.listdir("/proc")):
                    with contextlib.suppress(OSError):
                        seen.add(Path(f"/proc/{pid}/cmdline").read_bytes())
                time.sleep(0.02)

        lines = []
        thread = threading.Thread(target=sample, daemon=True)
        thread.start()
        try:
            yield lines
        finally:
            over.set()
            thread.join()
            lines += sorted(line.decode(errors="replace") for line in seen)

    def secrets_in(self, *texts):
        """Which of Google's secrets stand in these texts, in the state, or in the kubeconfig."""
        files = [p for p in self.state.rglob("*") if p.is_file()] + [self.kubeconfig]
        texts = [*texts, *(p.read_text(errors="replace") for p in files if p.exists())]
        return self.google.secrets_in("\n".join(texts))

    def destroy(self):
        try:
            return super().destroy()
        finally:
            self.google.stop()

    def report(self):
        tail = "\n".join(f"{e['n']} {e['method']} {e['path']} {e['status']} {e.get('fault') or ''}"
                         for e in self.google.requests()[-60:])
        return f"--- requests to Google\n{tail}\n{super().report()}"
