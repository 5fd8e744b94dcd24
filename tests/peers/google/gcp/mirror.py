"""Plays the controllers that run beside a real cluster: a Service of type LoadBalancer gets forwarding rule,
target pool and firewalls, a persistent volume gets a disk, and both lose them when they go.

For clusters whose backend says "mirror": true. What is left when the cluster itself is deleted stays,
as nobody looks after it any more. The API server must ask this server about tokens.
"""

import base64
import json
import ssl
import threading
import time
import urllib.request

from . import leftovers
from .auth import SCOPE

INTERVAL = 0.3
LIVING = ("RUNNING", "RECONCILING")
UNITS = {"Ki": 2 ** 10, "Mi": 2 ** 20, "Gi": 2 ** 30, "Ti": 2 ** 40, "k": 10 ** 3, "M": 10 ** 6, "G": 10 ** 9, "T": 10 ** 12}


def gigabytes(text):
    for unit, factor in UNITS.items():
        if text.endswith(unit):
            return max(1, -(-int(float(text[:-len(unit)]) * factor) // 2 ** 30))
    return max(1, int(float(text)) >> 30)


class Mirror:
    def __init__(self, world):
        self.world, self.token = world, None
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            time.sleep(INTERVAL)
            with self.world.lock:
                self.world.settle()
                if self.world.config["mirrorPaused"]:
                    continue
                clusters = [c for p in self.world.projects.values() for c in p.clusters.values()
                            if c.backend.row and c.backend.row.get("mirror") and c.status in LIVING]
                if clusters and (self.token is None or not self.token.alive()):
                    self.token = self.world.auth.give("mirror", "controllers@stand-in.example", [
                        SCOPE + "cloud-platform", SCOPE + "userinfo.email"])
            for cluster in clusters:
                try:
                    self.look(cluster)
                except (OSError, ValueError, KeyError):
                    continue        # not up yet, or gone: the next round will tell

    def items(self, cluster, path):
        context = ssl.create_default_context(cadata=base64.b64decode(cluster.backend.ca).decode())
        request = urllib.request.Request(f"https://{cluster.backend.endpoint}{path}",
                                         headers={"Authorization": f"Bearer {self.token.value}"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        with opener.open(request, timeout=5) as got:
            return json.loads(got.read())["items"]

    def look(self, cluster):
        uid = next((n["metadata"]["uid"] for n in self.items(cluster, "/api/v1/namespaces")
                    if n["metadata"]["name"] == "kube-system"), cluster.uid)
        services = {s["metadata"]["uid"]: s for s in self.items(cluster, "/api/v1/services")
                    if s["spec"].get("type") == "LoadBalancer"}
        volumes = {v["metadata"]["name"]: v for v in self.items(cluster, "/api/v1/persistentvolumes")}
        with self.world.lock:
            if cluster.status not in LIVING:
                return
            cluster.uid, have = uid, cluster.mirrored
            for one in services.keys() - have["services"]:
                leftovers.service(self.world, cluster, {
                    "uid": one, "name": services[one]["metadata"]["name"],
                    "namespace": services[one]["metadata"]["namespace"]})
            for one in have["services"] - services.keys():
                leftovers.remove_service(cluster.project, one)
            for name in volumes.keys() - have["volumes"]:
                spec = volumes[name]["spec"]
                claim = spec.get("claimRef") or {}
                leftovers.volume(self.world, cluster, {
                    "pv": name, "claim": claim.get("name", ""), "namespace": claim.get("namespace", ""),
                    "sizeGb": gigabytes(spec["capacity"]["storage"])})
            for name in have["volumes"] - volumes.keys():
                leftovers.remove_volume(cluster.project, name)
            cluster.mirrored = {"services": set(services), "volumes": set(volumes)}
