"""One local cluster of these tests' own, and the programs that act on it: prestoctl, kubectl, SQL.

Nothing here is shared with the user: cluster name, state folders and kubeconfig are the run's own, below one
short folder in /tmp (sockets live there).
"""

import base64
import contextlib
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode, urlsplit

import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("E2E_BIN", ROOT / "build" / "release"))
DEVCLUSTER = ROOT / "scripts" / "devcluster" / "devcluster"
IMAGES = ROOT / "scripts" / "images" / "build"
sys.path.insert(0, str(DEVCLUSTER.parent))
sys.dont_write_bytecode = True

from dc import system                   # noqa: E402  pylint: disable=wrong-import-position
from dc.net import Net                  # noqa: E402  pylint: disable=wrong-import-position

ENV_LABEL = "prestoctl.io/environment"
OPERATOR_POD = "name=presto-operator"
WRITES = {"create", "update", "patch", "delete", "deletecollection"}
# Checks of rights and SQL are POST requests, too, but leave nothing in the cluster.
NO_WRITE = {"selfsubjectaccessreviews", "selfsubjectrulesreviews"}
PATIENCE = 300      # seconds; a busy machine starts three JVMs slowly


def until(check, seconds=PATIENCE, what=""):
    """What check() returns, once that is true. Polls; an assertion fails when it never is."""
    end = time.monotonic() + seconds
    while True:
        got = check()
        if got:
            return got
        assert time.monotonic() < end, f"not within {seconds} s: {what or check.__name__}"
        time.sleep(0.2)


class Running:
    """A prestoctl that is still at work. Its lines are read as they come, so that it never waits for a reader."""

    def __init__(self, argv, env):
        self.argv, self.began = [str(a) for a in argv], time.monotonic()
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen(self.argv, env=env, text=True, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        self.out, self.err, self.stamps = [], [], []
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.out), (self.process.stderr, self.err))]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            lines.append(line)

    def events(self):
        """The JSON lines on stderr so far."""
        found = []
        for line in list(self.err):
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def step(self, name, state="started", seconds=PATIENCE):
        """Waits for a step to get that far; False when the command ended before."""
        def seen():
            over = self.process.poll() is not None
            return any(e.get("name") == name and e.get("state") == state for e in self.events()) or over and "over"
        end = time.monotonic() + seconds
        while True:
            got = seen()
            if got:
                return got is True
            assert time.monotonic() < end, f"{self.argv}: step {name} not {state}:\n{''.join(self.err)}"
            time.sleep(0.005)

    def kill(self):
        """SIGKILL, this process alone. False when it had ended by itself."""
        self.process.kill()
        return self.wait(10).status == -signal.SIGKILL

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def wait(self, seconds):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self._join()
            raise AssertionError(f"{self.argv}: still running after {seconds} s\n{self.text()}") from None
        self._join()
        return SimpleNamespace(status=self.process.returncode, out="".join(self.out), err="".join(self.err),
                               seconds=time.monotonic() - self.began, events=self.events())

    def _join(self):
        # A child that outlives its parent may hold the pipes: what it says then is nobody's.
        for reader in self.readers:
            reader.join(2)

    def text(self):
        return "".join(self.out) + "".join(self.err)


class Kube:
    """Reads of the API server as the cluster's administrator: a poll with kubectl would cost a tenth of a second of CPU."""

    def __init__(self, kubeconfig):
        config = yaml.safe_load(Path(kubeconfig).read_text(encoding="utf-8"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.at = urlsplit(cluster["server"])
        self.context = ssl.create_default_context(
            cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        keys = Path(kubeconfig).with_name("admin.pem")
        keys.touch(mode=0o600)
        keys.write_bytes(base64.b64decode(user["client-certificate-data"]) +
                         base64.b64decode(user["client-key-data"]))
        self.context.load_cert_chain(keys)
        keys.unlink()

    def get(self, path, **query):
        """The object, or None when it is not there; OSError when nobody answers."""
        c = http.client.HTTPSConnection(self.at.hostname, self.at.port, timeout=20, context=self.context)
        try:
            c.request("GET", path + ("?" + urlencode(query) if query else ""), headers={"User-Agent": "e2e"})
            r = c.getresponse()
            body = r.read()
        finally:
            c.close()
        if r.status == 404:
            return None
        if r.status != 200:
            raise OSError(f"GET {path}: {r.status} {body[:300]!r}")
        return json.loads(body)


class Stage:
    """The machine as a user of these tests sees it."""

    def __init__(self, tmp, name):
        self.tmp, self.name, self.presto, self.ns = Path(tmp), name, "example", "presto"
        self.dc_state, self.state, self.file = self.tmp / "dc", self.tmp / "state", self.tmp / "local.yaml"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("PRESTOCTL_", "DEVCLUSTER_"))}
        for keep in ("PRESTOCTL_CACHE",):
            if keep in os.environ:
                self.env[keep] = os.environ[keep]
        self.env |= {"XDG_STATE_HOME": str(self.state), "KUBECONFIG": str(self.tmp / "nobody"),
                     "DEVCLUSTER_STATE": str(self.dc_state), "USER": "e2e"}
        if BIN != ROOT / "build" / "release":
            self._other_programs()
        self.kube_cache, self.running = None, []
        self.write_file(self.environment())

    def _other_programs(self):
        wrapper = self.tmp / "images"
        wrapper.write_text(f'#!/bin/sh\nexec "{IMAGES}" --bin-dir "{BIN}" "$@"\n', encoding="utf-8")
        wrapper.chmod(0o755)
        self.env["PRESTOCTL_IMAGES"] = str(wrapper)

    # --- the environment file

    def environment(self, **spec):
        """examples/local.yaml, on two nodes of our own. @spec: fields of the resource's spec that differ."""
        env = yaml.safe_load((ROOT / "examples" / "local.yaml").read_text(encoding="utf-8"))
        env["name"] = self.name
        env["cluster"]["local"] = {"name": self.name, "nodes": 2}
        env["operator"] = {"namespace": self.ns}
        env["presto"]["metadata"]["name"] = self.presto
        # As short as they may be: what is tested is that work is finished, not how long one waits for more.
        env["presto"]["spec"]["worker"]["prestoWorkerShutdownGracePeriodSeconds"] = 2
        env["presto"]["spec"]["worker"]["deploymentTerminationGracePeriodSeconds"] = 120
        for key, value in spec.items():
            known = env["presto"]["spec"].get(key)
            env["presto"]["spec"][key] = {**known, **value} if isinstance(known, dict) else value
        return env

    def write_file(self, env, path=None):
        path = path or self.file
        path.write_text(yaml.safe_dump(env), encoding="utf-8")
        return path

    # --- prestoctl

    def start(self, *args):
        running = Running([BIN / "prestoctl", *args], self.env)
        self.running.append(running)
        return running

    def end_running(self):
        """What a failed test has left at work would disturb the next one: a query is cancelled by SIGINT."""
        for r in self.running:
            if r.process.poll() is None:
                r.interrupt()
                with contextlib.suppress(AssertionError):
                    r.wait(30)
        self.running.clear()

    def ctl(self, *args, status=0, seconds=900):
        """A prestoctl command that must end with this status."""
        done = self.start(*args).wait(seconds)
        assert done.status == status, f"prestoctl {args}: status {done.status}, not {status}\n{done.out}{done.err}"
        return done

    def up(self, *args, file=None, status=0):
        return self.ctl("up", "-f", file or self.file, *args, status=status)

    def sql(self, text, *args):
        """Rows, each a list of values."""
        done = self.ctl("query", "--env", self.name, "--format", "json", *args, text)
        return [list(json.loads(line).values()) for line in done.out.splitlines()]

    def value(self, text):
        [[value]] = self.sql(text)
        return value

    # --- Kubernetes

    def devcluster(self, *args, check=True):
        argv = [str(DEVCLUSTER), args[0], "--name", self.name, "--output", "json", *args[1:]]
        done = subprocess.run(argv, env=self.env, text=True, capture_output=True, timeout=300, check=False)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}

    def kubectl(self, *args, stdin=None, check=True):
        done = subprocess.run([str(DEVCLUSTER), "kubectl", "--name", self.name, "-n", self.ns, *args], env=self.env,
                              text=True, input=stdin, capture_output=True, timeout=180, check=False)
        assert done.returncode == 0 or not check, f"kubectl {args}:\n{done.stdout}{done.stderr}"
        return done.stdout if check else done.stdout + done.stderr

    @property
    def folder(self):
        return self.dc_state / self.name

    @property
    def kube(self):
        config = self.folder / "kubeconfig"
        stamp = config.stat().st_mtime_ns
        if not self.kube_cache or self.kube_cache[0] != stamp:
            self.kube_cache = (stamp, Kube(config))
        return self.kube_cache[1]

    def resource(self, name=None):
        return self.kube.get(f"/apis/starburstdata.com/v1/namespaces/{self.ns}/prestos/{name or self.presto}")

    def list(self, kind, labels=""):
        group = "/apis/apps/v1" if kind == "deployments" else "/api/v1"
        return self.kube.get(f"{group}/namespaces/{self.ns}/{kind}", labelSelector=labels)["items"]

    def asked(self):
        return self.resource()["spec"]["worker"]["count"]

    def instance(self):
        return self.resource()["status"]["name"]

    def pods(self, role, instance=None):
        """name: pod, of those that stay."""
        found = self.list("pods", f"instance={instance or self.instance()},role={role}")
        return {p["metadata"]["name"]: p for p in found if "deletionTimestamp" not in p["metadata"]}

    def children(self, instance):
        """All that carries the cluster's label, pods and what belongs to them included."""
        kinds = ("configmaps", "services", "deployments", "pods", "secrets", "persistentvolumeclaims")
        return sorted(f"{kind}/{o['metadata']['name']}" for kind in kinds
                      for o in self.list(kind, f"instance={instance}"))

    def is_ready(self):
        """None while it is not; else the resource."""
        cr = self.resource()
        status = (cr or {}).get("status", {})
        conditions = {c["type"]: c["status"] for c in status.get("conditions", [])}
        good = (status.get("observedGeneration") == cr["metadata"]["generation"] and conditions.get("Ready") == "True"
                and conditions.get("Progressing") == "False"
                and status["workers"]["active"] == cr["spec"]["worker"]["count"]) if cr else False
        return cr if good else None

    def settle(self, seconds=PATIENCE):
        """Waits until Presto is what its resource says, and the operator has nothing more to do."""
        return until(self.is_ready, seconds, f"Presto {self.presto} is ready and settled")

    def coordinator(self, path):
        """A GET to the coordinator; None while it does not answer."""
        service = self.resource()["status"]["service"]
        with contextlib.suppress(OSError):
            return self.kube.get(f"/api/v1/namespaces/{self.ns}/services/http:{service}:8080/proxy{path}")
        return None

    def active_workers(self):
        """As counted by the coordinator."""
        return (self.coordinator("/v1/cluster") or {}).get("activeWorkers")

    # --- what the API server saw

    def audit_end(self):
        return (self.folder / "audit.log").stat().st_size

    def audit(self, since=0):
        with open(self.folder / "audit.log", encoding="utf-8") as f:
            f.seek(since)
            return [json.loads(line) for line in f.read().splitlines() if line.endswith("}")]

    def writes(self, since, who):
        """What somebody wrote: prestoctl by its user agent (it shares a user with kubectl), else by user."""
        found = []
        for e in self.audit(since):
            ref = e.get("objectRef", {})
            agent, user = e.get("userAgent", ""), e.get("user", {}).get("username", "")
            theirs = agent.startswith("prestoctl/") if who == "prestoctl" else user.endswith(f":{who}")
            if (theirs and e["verb"] in WRITES and ref.get("resource") not in NO_WRITE
                    and ref.get("subresource") != "proxy"):
                found.append(f"{e['verb']} {ref.get('resource')}/{ref.get('subresource', '')} {ref.get('name')}: "
                             f"{e.get('responseStatus', {}).get('code')}")
        return found

    # --- the end

    def traces(self):
        """All that the cluster and prestoctl may have left on the machine."""
        net, group, found = Net(self.name, "10.0.0.0/24"), f"devcluster-{self.name}", []
        found += [f"network namespace {net.ns(i)}" for i in net.present()]
        found += [f"mount {m}" for m, _ in system.mounts() if m.startswith(f"{self.dc_state}/") or group in m]
        found += [f"cgroup {f}" for f in system.cgroup_folders(group)]
        out = subprocess.run("ip -o link; ip route show table all", shell=True, capture_output=True, text=True,
                             check=True).stdout
        found += [f"link or route {line}" for line in out.splitlines() if net.host_link in line]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/cmdline").read_bytes() + os.readlink(f"/proc/{pid}/cwd").encode()
                if f"{self.dc_state}/".encode() in text + b"/":
                    found.append(f"process {pid} {text!r}")
        return found + [str(p) for folder in (self.dc_state, self.state) for p in folder.rglob("*") if p.is_file()]

    def destroy(self):
        """Takes the cluster away, whatever tests did to it. Returns what is left of it."""
        self.devcluster("down", check=False)
        return [t for t in self.traces() if not t.startswith("/")]

    def report(self):
        """What one wants to see when a test has failed."""
        if not (self.folder / "kubeconfig").exists():
            return "there is no cluster"
        parts = [("devcluster status", json.dumps(self.devcluster("status", check=False), indent=1))]
        for what in (("get", "prestos,deployments,pods", "-o", "wide"), ("get", "prestos", "-o", "yaml"),
                     ("get", "events", "--sort-by=.lastTimestamp"), ("logs", "deployment/presto-operator", "--tail=60"),
                     ("logs", "-l", "role=coordinator", "--tail=40"), ("logs", "-l", "role=worker", "--tail=25")):
            with contextlib.suppress(subprocess.TimeoutExpired):
                parts.append((f"kubectl {' '.join(what)}", self.kubectl(*what, "--request-timeout=10s", check=False)))
        return "\n".join(f"--- {title}\n{text}" for title, text in parts)
