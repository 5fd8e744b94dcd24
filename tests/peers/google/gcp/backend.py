"""The API server that a cluster hands out: a real one where the configuration names it.

A row of "backends": {"match": {project, location, cluster}, and one of
  "endpoint": "ADDRESS[:PORT]", "ca": PEM text or "caFile": path
  "kubeconfig": path (its first server and certificate-authority-data)
  "command": argv, which gets {"event": "created"|"deleted", project, location, cluster} as JSON on its
             input and, when created, prints {"endpoint", "ca" or "caFile" or "kubeconfig"}}.
and maybe "mirror": true, see mirror.py. Without a row a cluster gets an address of loopback where nobody listens, and the stand-in's own CA.
"""

import base64
import json
import re
import subprocess
import threading
from pathlib import Path

from .rsa import pem_base64
from .world import matches


def read(row):
    """(endpoint, CA as base64 of PEM)"""
    if "kubeconfig" in row:
        text = Path(row["kubeconfig"]).read_text()
        server = re.search(r"server['\"]?:\s*['\"]?https://([^\s'\",/]+)", text)
        data = re.search(r"certificate-authority-data['\"]?:\s*['\"]?([A-Za-z0-9+/=]+)", text)
        file = re.search(r"certificate-authority['\"]?:\s*['\"]?([^\s'\",]+)", text)
        ca = data[1] if data else pem_base64(Path(row["kubeconfig"]).parent / file[1])
        return row.get("endpoint", server[1]), ca
    if "caFile" in row:
        return row["endpoint"], pem_base64(row["caFile"])
    return row["endpoint"], base64.b64encode(row["ca"].encode()).decode()


class Backend:
    """Of one cluster; a command runs in a thread, and the cluster's operation waits for it."""

    def __init__(self, world, cluster):
        self.endpoint = self.ca = self.failure = None
        self.what = {"project": cluster.project.name, "location": cluster.location, "cluster": cluster.name}
        rows = world.config["backends"]
        self.row = next((r for r in rows if all(matches(p, self.what[k]) for k, p in r.get("match", {}).items())), None)
        if self.row is None:
            # A hash of the cluster, so that no two share an address.
            self.endpoint = f"127.{66 + int(cluster.hash[:2], 16) % 60}.{int(cluster.hash[2:4], 16)}." \
                            f"{1 + int(cluster.hash[4:6], 16) % 250}"
            self.ca = pem_base64(world.state / "ca.pem")
        elif "command" in self.row:
            self.start("created")
        else:
            self.endpoint, self.ca = read(self.row)

    def ready(self):
        return self.endpoint is not None or self.failure is not None

    def start(self, event):
        def run():
            done = subprocess.run(self.row["command"], input=json.dumps({"event": event, **self.what}), text=True,
                                  capture_output=True, check=False)
            if event != "created":
                return
            try:
                self.endpoint, self.ca = read(json.loads(done.stdout.strip().splitlines()[-1]))
            except (ValueError, LookupError, OSError) as e:
                self.failure = f"the backend's command failed: {e}: {done.stderr.strip()[-300:]}"

        threading.Thread(target=run, daemon=True).start()

    def deleted(self):
        if self.row and "command" in self.row:
            self.start("deleted")
