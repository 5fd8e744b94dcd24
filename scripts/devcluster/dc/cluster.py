"""One named cluster: its settings on disk, and how it is brought up, looked at and taken away."""

import concurrent.futures
import contextlib
import glob
import json
import os
import re
import shutil
import socket
import struct
import time

from . import net as network
from . import system
from .api import Api, answers
from .components import OBJECTS, Recipes
from .images import Archive
from .net import Net
from .parts import Parts
from .pki import Pki
from .say import Fail, USAGE

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$")
VOLUMES = "/tmp/hostpath_pv"        # where the controller manager's host-path provisioner puts volumes
# Kernel settings that a kubelet changes for the whole machine: put back by the last `down`. What they
# were is kept where a reboot forgets it, as it does the settings.
KERNEL_WAS = "/run/prestoctl-devcluster-kernel.json"
KERNEL = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
          "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes", "fs/inotify/max_user_instances")
INOTIFY_LEAST = 1024                # a node takes eight, and 128 is a common limit for all of root's programs
PROGRAMS = {"etcd": "etcd-server", "containerd": "containerd", "runc": "runc", "ipset": "ipset",
            "conntrack": "conntrack", "ip": "iproute2", "iptables": "iptables", "nsenter": "util-linux",
            "openssl": "openssl", "ctr": "containerd"}


def state_root():
    wanted = os.environ.get("DEVCLUSTER_STATE")
    if wanted:
        return os.path.abspath(wanted)
    if os.geteuid() == 0:
        return "/var/lib/prestoctl-devcluster"
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(home, "prestoctl-devcluster")


class Cluster:
    EVICTION = "100Mi"
    EVICTION_BYTES = 100 << 20

    def __init__(self, name):
        if not NAME.match(name):
            raise Fail(f"--name {name!r} is not a name", "use up to 30 of a-z, 0-9 and -", USAGE)
        self.name = name
        self.root = state_root()
        self.folder = os.path.join(self.root, name)
        self.group = f"devcluster-{name}"
        self.parts = Parts()
        self.pki = Pki(self.path("pki"))
        self.audit_log = self.path("audit.log")
        self.kubeconfig = self.path("kubeconfig")
        self.settings = {}
        self.net = None
        self.load()

    # -- settings ---------------------------------------------------------------------------------

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def node_path(self, i):
        return self.path(f"node{i}")

    def socket(self, i):
        return self.path(f"node{i}", "containerd.sock")

    def load(self):
        text = system.read_text(self.path("settings.json"), "{}")
        try:
            self.settings = json.loads(text)
        except ValueError:
            self.settings = {}      # as good as lost: `up` takes away what is left and begins anew
        if self.settings.get("cidr"):
            self.net = Net(self.name, self.settings["cidr"])

    def save(self):
        os.makedirs(self.root, mode=0o755, exist_ok=True)
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        os.chmod(self.folder, 0o700)
        system.write_file(self.path("settings.json"), json.dumps(self.settings, indent=1) + "\n")

    def __getattr__(self, name):
        """The settings read as attributes: nodes, port, control_plane_only, controllers, ..."""
        if name.startswith("_") or name not in ("nodes", "port", "etcd_port", "peer_port", "control_plane_only",
                                                "controllers", "token_file", "token_webhook", "cidr"):
            raise AttributeError(name)
        return self.settings.get(name)

    @property
    def exists(self):
        return bool(self.settings)

    @property
    def address(self):
        return "127.0.0.1" if self.control_plane_only else self.net.address(0)

    @property
    def server(self):
        return f"https://{self.address}:{self.port}"

    def decide(self, args):
        """Settles the settings of this `up`: what was asked, else what is, else the default."""
        old = self.settings
        mode = args.control_plane_only or bool(old.get("control_plane_only") and not args.nodes)
        if old and bool(old["control_plane_only"]) != mode:
            kind = "has a control plane only" if old["control_plane_only"] else "has nodes"
            raise Fail(f"cluster {self.name} {kind}", f"take it down first, or choose another --name", USAGE)
        if old and args.cidr and args.cidr != old.get("cidr"):
            raise Fail(f"cluster {self.name} uses {old.get('cidr')}", "take it down first to change --cidr", USAGE)
        new = {"control_plane_only": mode,
               "controllers": not mode or args.with_controllers or bool(old.get("controllers")),
               "nodes": 0 if mode else args.nodes or old.get("nodes") or 1,
               "token_file": os.path.abspath(args.token_auth_file) if args.token_auth_file else old.get("token_file"),
               "token_webhook": args.token_webhook or old.get("token_webhook"),
               "port": args.port or old.get("port")}
        if mode:
            new.update(self._ports(args.port, old))
        else:
            new.update(port=new["port"] or 6443, etcd_port=2379, peer_port=2380)
            new["cidr"] = old.get("cidr") or network.choose_cidr(args.cidr, Net(self.name, "10.0.0.0/24").host_link)
        self.settings = new
        if new.get("cidr"):
            self.net = Net(self.name, new["cidr"])
        self.save()

    def _ports(self, wanted, old):
        """Ports on the host's loopback: what a component of ours holds stays, any other must be free."""
        found = {}
        for key, name in (("port", "kube-apiserver"), ("etcd_port", "etcd"), ("peer_port", "etcd")):
            port = (wanted if key == "port" else None) or old.get(key)
            ours = old.get(key) == port and self.record(name).alive()
            if port and not ours:
                user = network.port_user(port)
                if user and (key == "port" and wanted):
                    raise Fail(f"port {port} of 127.0.0.1 is in use by {user}", "choose another with --port")
                port = None if user else port
            found[key] = port or network.free_port()
        return found

    def reserved(self):
        """(milli-CPUs, bytes) that each kubelet withholds, so that all nodes sum to the machine."""
        cpus = os.cpu_count() * 1000
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        share = memory // self.nodes
        return cpus - cpus // self.nodes, max(0, memory - share - (self.EVICTION_BYTES if self.nodes > 1 else 0))

    # -- components -------------------------------------------------------------------------------

    def record(self, name):
        return system.Record(self.path("run", name))

    def records(self):
        """{component: record} of everything ever started."""
        found = {}
        with contextlib.suppress(FileNotFoundError):
            for name in sorted(os.listdir(self.path("run"))):
                if not name.endswith(".new"):
                    found[name] = self.record(name)
        return found

    def ensure(self, component):
        """Starts a component unless it runs as wanted. True if it had to."""
        record = self.record(component.name)
        if record.alive() and record.note == component.note():
            return False
        system.end_all([record], grace=5)
        for path, content in component.files.items():
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            system.write_file(path, content)
        argv, cgroups = component.argv, []
        if component.node is not None:
            argv = ["nsenter", f"--net={self.net.ns_path(component.node)}", "--", *argv]
        if os.geteuid() == 0:
            cgroups = system.cgroup_make(f"{self.group}/{component.group}")
        system.launch(argv, self.path("run", component.name), component.note(),
                      self.path("logs", f"{component.name}.log"), cgroups, system.environment(), self.folder)
        return True

    def ensure_all(self, components):
        """Side by side; the names of those that had to be started."""
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            changed = list(pool.map(self.ensure, components))
        return [c.name for c, started in zip(components, changed) if started]

    def alive(self, components):
        """Fails, with its last words, when a component has ended."""
        for c in components:
            if not self.record(c.name).alive():
                last = system.last_line(self.path("logs", f"{c.name}.log"))
                raise Fail(f"{c.name} has ended: {last}", f"see {self.path('logs', c.name + '.log')}")

    # -- up ---------------------------------------------------------------------------------------

    def up(self, report, deadline):
        recipes = Recipes(self)
        changed = []
        for folder in ("run", "logs", "conf"):
            os.makedirs(self.path(folder), mode=0o700, exist_ok=True)
        if not self.control_plane_only:
            with report.step("network", f"{self.nodes} namespaces in {self.cidr}") as step:
                self._network()
                step.message = f"{self.nodes} node(s), {self.cidr}"
        with report.step("certificates"):
            self.pki.make(recipes.certificates())
            for user, path in recipes.kubeconfigs().items():
                self.pki.kubeconfig(path, self.server, user, self.name)
            context = "devcluster" if self.name == "default" else self.name
            self.pki.kubeconfig(self.kubeconfig, self.server, "admin", context)
        api = Api(self.server, self.pki)
        with report.step("api server", self.server) as step:
            first = recipes.first()
            changed += self.ensure_all(first)
            self._wait(deadline, "the API server", first, api.ready)
            step.message = self.server
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            # Any pause image of that name will do: another build of it may have been loaded since.
            pause = [pool.submit(self._import, i, Archive(self.parts.pause), deadline, True)
                     for i in range(self.nodes)]
            with report.step("components"):
                second = recipes.second()
                if not self.control_plane_only:
                    for path, body in OBJECTS:
                        api.create(path, body)
                changed += self.ensure_all(second)
            for job in pause:
                job.result()
        if self.controllers:
            with report.step("controllers"):
                self._wait(deadline, "the controllers", first + second, lambda: self._accounts_missing(api))
        if not self.control_plane_only:
            with report.step("nodes") as step:
                self._wait(deadline, "the nodes", first + second, lambda: self._nodes_missing(api))
                step.message = f"{self.nodes} ready"
            with report.step("services", "kube-proxy and DNS"):
                self._wait(deadline, "kube-proxy and DNS", first + second, self._services_missing)
        return changed

    def _wait(self, deadline, what, components, check):
        def missing():
            self.alive(components)
            return check()
        deadline.wait(what, missing)

    def _network(self):
        system.run(["modprobe", "-q", "-a", "overlay", "br_netfilter", "veth"], ok=None) \
            if shutil.which("modprobe", path=system.environment()["PATH"]) else None
        for i in self.net.present():
            if i >= self.nodes:
                self._remove_node(i)
        for i in range(self.nodes):
            # A node whose namespace is gone (a reboot, or by hand) starts afresh; its images stay.
            if not self.net.exists(i) and os.path.exists(self.node_path(i)):
                self._stop_node(i)
        self.net.make(self.nodes)
        for i in range(self.nodes):
            system.cgroup_make(f"{self.group}/node{i}")
        for i in range(self.nodes):
            lacking = system.cgroup_lacks(f"{self.group}/node{i}", ("cpu", "cpuset", "memory", "pids"))
            if lacking:
                raise Fail(f"control groups lack the controllers {' '.join(lacking)}",
                           "boot with them enabled; inside a container, give it the host's control groups")
        remember_kernel()
        raise_inotify()
        system.cgroup_weight(self.group, 2 * os.cpu_count())

    def _stop_node(self, i):
        ours = [r for name, r in self.records().items() if name.endswith(f"-{i}")]
        system.end_all(ours, grace=0)
        for group in (f"{self.group}/node{i}-system", f"{self.group}/node{i}"):
            system.cgroup_kill(group)
        _forget_shims(self.node_path(i))
        system.unmount_below(self.node_path(i))
        for name in ("containerd-state", "runc", "ipam"):
            shutil.rmtree(os.path.join(self.node_path(i), name), ignore_errors=True)

    def _remove_node(self, i):
        self._stop_node(i)
        with contextlib.suppress(Fail, OSError):
            Api(self.server, self.pki).request("DELETE", f"/api/v1/nodes/node{i}")
        for name, record in self.records().items():
            if name.endswith(f"-{i}"):
                record.forget()
        self.net.drop_node(i)
        self._forget_addresses(i)
        for group in (f"{self.group}/node{i}-system", f"{self.group}/node{i}"):
            system.cgroup_remove(group)
        _remove_tree(self.node_path(i))

    @staticmethod
    def _accounts_missing(api):
        status, body = api.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")
        if status == 200:
            status, body = api.request("GET", "/api/v1/namespaces/default/configmaps/kube-root-ca.crt")
        return None if status == 200 else f"service account of namespace default ({status or body})"

    def _nodes_missing(self, api):
        items = api.items("/api/v1/nodes")
        if items is None:
            return "the API server does not answer"
        ready = {n["metadata"]["name"] for n in items if node_ready(n)}
        missing = [f"node{i}" for i in range(self.nodes) if f"node{i}" not in ready]
        if missing:
            return f"{', '.join(missing)} not ready"
        for i in range(self.nodes):     # the node's status may be that of a kubelet which has died since
            status, body = api.request("GET", f"/api/v1/nodes/node{i}/proxy/healthz")
            if status != 200:
                return f"kubelet of node{i} is not well ({status or body})"
        return None

    def _services_missing(self):
        for i in range(self.nodes):
            bad = answers(self.net.address(i), 10256, "/healthz")
            if bad:
                return f"kube-proxy of node{i}: {bad}"
        bad = answers(self.net.address(0), 8181, "/ready")
        return f"DNS: {bad}" if bad else dns_missing(self.net.address(0))

    # -- images -----------------------------------------------------------------------------------

    def _ctr(self, i, *args, timeout=60, stdin=None):
        return system.run(["/usr/bin/ctr", "-a", self.socket(i), "-n", "k8s.io", *args], timeout=timeout, stdin=stdin)

    def _import(self, i, archive, deadline, any_version=False):
        """Brings an archive's images to one node, unless they are there. True if it had to."""
        deadline.wait(f"containerd of node{i}", lambda: self._containerd_missing(i))
        held = self._held(i)
        if all(held.get(name) == digest if digest and not any_version else any_version and name in held
               for name, digest in archive.images.items()):
            return False
        if archive.rename is None:
            self._ctr(i, "images", "import", archive.path, timeout=deadline.left())
        else:
            self._import_renamed(i, archive, deadline)
        held = self._held(i)
        missing = [name for name in archive.images if name not in held]
        if missing:
            raise Fail(f"node{i} does not hold {missing[0]} after the import of {archive.path}",
                       "name it in full, as localhost/NAME:TAG")
        return True

    def _held(self, i):
        """{name: digest} of the images of one node."""
        lines = self._ctr(i, "images", "ls")[1].splitlines()[1:]
        return {words[0]: words[2] for words in map(str.split, lines) if len(words) > 2}

    def _import_renamed(self, i, archive, deadline):
        path = self.path(f"import-{i}.tar")
        try:
            with open(path, "wb") as f:
                archive.stream(f)
            self._ctr(i, "images", "import", path, timeout=deadline.left())
        finally:
            os.unlink(path)

    def _containerd_missing(self, i):
        self.alive([c for c in [Recipes(self).containerd(i)] if not self.record(c.name).alive()])
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(self.socket(i))
        except OSError as e:
            return e.strerror
        return None

    def load_image(self, path, report, deadline):
        """Brings an image file to every node; (names, nodes that had to import)."""
        if self.control_plane_only or not self.exists:
            raise Fail(f"cluster {self.name} has no nodes to load an image into", "bring it up first")
        archive = Archive(path)
        with report.step("load image", ", ".join(archive.images)) as step:
            with concurrent.futures.ThreadPoolExecutor(self.nodes) as pool:
                done = list(pool.map(lambda i: self._import(i, archive, deadline), range(self.nodes)))
            step.message = f"{', '.join(archive.images)}: " + \
                (f"loaded into {sum(done)} node(s)" if any(done) else "already there")
        return list(archive.images), sum(done)

    # -- down and status --------------------------------------------------------------------------

    def down(self, report):
        """Takes everything of this name away, whatever is left of it. True if there was anything."""
        left = self.leftovers()
        if not left and not os.path.exists(self.folder):
            return False
        self.refuse_foreign()
        # First of all: an `up` after a killed `down` begins anew, and not on half of the old data.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path("settings.json"))
        with report.step("processes") as step:
            records = self.records()
            # The kubelets first, or they would start what the rest of this takes away.
            system.end_all([records[x] for x in records if x.startswith("kubelet-")], grace=0)
            system.end_all(list(records.values()), grace=0)
            if os.geteuid() == 0:
                system.cgroup_kill(self.group)
            step.message = f"{len(records)} components ended"
        with report.step("mounts and files"):
            self._remove_volumes()
            for folder in glob.glob(self.path("node*")):
                _forget_shims(folder)
            system.unmount_below(self.folder)
            self._forget_addresses("*")
            for path in glob.glob("/var/log/containers/*"):
                if os.path.islink(path) and os.readlink(path).startswith(self.folder + "/"):
                    os.unlink(path)
        if os.geteuid() == 0:
            with report.step("network and groups"):
                Net(self.name, self.cidr or "10.0.0.0/24").remove()
                system.cgroup_remove(self.group)
            restore_machine()
        with report.step("state"):
            _remove_tree(self.folder)
        return True

    def leftovers(self):
        """What of this name exists though no cluster does, in words."""
        found = [] if self.exists or not os.path.exists(self.folder) else [f"folder {self.folder}"]
        if os.geteuid() != 0:
            return found
        net = Net(self.name, "10.0.0.0/24")
        found += [f"network namespace {net.ns(i)}" for i in net.present()]
        found += [f"control group {x}" for x in system.cgroup_folders(self.group)[-1:]]
        if os.path.exists(f"/sys/class/net/{net.host_link}"):
            found.append(f"link {net.host_link}")
        return found

    def _forget_addresses(self, node):
        """The CNI library keeps what it gave to each pod outside our folder."""
        for path in glob.glob(f"/var/lib/cni/results/{self.group}.{node}-*-eth0"):
            sandbox = path.removesuffix("-eth0").rsplit("-", 1)[1]
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"/var/lib/cni/results/cni-loopback-{sandbox}-lo")
            os.unlink(path)

    def refuse_foreign(self):
        """The same name in another state folder is another's living cluster, not a leftover."""
        for pid in sorted(system.cgroup_pids(self.group)) if os.geteuid() == 0 else ():
            with contextlib.suppress(OSError):
                at = os.readlink(f"/proc/{pid}/cwd")
                if os.path.exists(os.path.join(at, "settings.json")) and at != os.path.realpath(self.folder):
                    raise Fail(f"a cluster {self.name} runs from {at}",
                               f"choose another --name, or set DEVCLUSTER_STATE={os.path.dirname(at)}")

    def _remove_volumes(self):
        """The folders of host-path volumes are outside: their names are found in etcd's own files."""
        names = set()
        for path in glob.glob(self.path("etcd", "member", "*", "*")):
            with contextlib.suppress(OSError), open(path, "rb") as f:
                while block := f.read(8 << 20):
                    names.update(re.findall(rb"/tmp/hostpath_pv/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", block))
                    if len(block) == 8 << 20:
                        f.seek(-128, os.SEEK_CUR)
        for name in names:
            shutil.rmtree(name.decode(), ignore_errors=True)
        with contextlib.suppress(OSError):
            os.rmdir(VOLUMES)

    def status(self):
        """What is there, as one flat object."""
        if not self.exists:
            return {"name": self.name, "state": "absent", "leftovers": self.leftovers()}
        components = {name: {"pid": r.pid, "running": r.alive()} for name, r in self.records().items()}
        nodes, missing = [], "not started"
        if os.path.exists(self.pki.path("admin.crt")) and components:
            api = Api(self.server, self.pki)
            missing = api.ready(timeout=5 if all(c["running"] for c in components.values()) else 2)
            for n in (api.items("/api/v1/nodes") or []) if missing is None else []:
                nodes.append({"name": n["metadata"]["name"], "ready": node_ready(n),
                              "cpu": n["status"]["allocatable"]["cpu"],
                              "memory": n["status"]["allocatable"]["memory"]})
        running = [c["running"] for c in components.values()]
        whole = missing is None and all(running) and sum(n["ready"] for n in nodes) == self.nodes
        state = "running" if whole else "degraded" if any(running) else "stopped"
        return {"name": self.name, "state": state, "api": missing or "ready", "server": self.server,
                "kubeconfig": self.kubeconfig, "audit_log": self.audit_log, "folder": self.folder,
                "kubernetes": self.parts.kube_version, "cidr": self.cidr,
                "control_plane_only": self.control_plane_only, "components": components, "nodes": nodes}


def node_ready(node):
    conditions = {c["type"]: c["status"] for c in node["status"].get("conditions", [])}
    taints = [t["key"] for t in node["spec"].get("taints", [])]
    return conditions.get("Ready") == "True" and "node.kubernetes.io/not-ready" not in taints


def dns_missing(address):
    """None when the cluster's own name resolves."""
    name = b"".join(bytes([len(x)]) + x for x in b"kubernetes.default.svc.cluster.local".split(b".")) + b"\0"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        try:
            s.sendto(struct.pack(">6H", 1, 0x100, 1, 0, 0, 0) + name + struct.pack(">2H", 1, 1), (address, 53))
            reply = s.recv(512)
        except OSError as e:
            return f"DNS does not answer ({e})"
    code, found = reply[3] & 15, struct.unpack(">H", reply[6:8])[0]
    return None if code == 0 and found else f"DNS does not know the API server yet (code {code})"


def remember_kernel():
    if not os.path.exists(KERNEL_WAS):
        system.write_file(KERNEL_WAS, json.dumps({k: system.read_text(f"/proc/sys/{k}", "").strip() for k in KERNEL}))


def raise_inotify():
    path = "/proc/sys/fs/inotify/max_user_instances"
    with contextlib.suppress(OSError, ValueError):
        if int(system.read_text(path)) < INOTIFY_LEAST:
            with open(path, "w", encoding="ascii") as f:
                f.write(str(INOTIFY_LEAST))


def restore_machine():
    """Unless another cluster with nodes, of whatever state folder, is still there."""
    if any(glob.glob(f"{root}/devcluster-*/node0") for root in system.cgroup_roots()):
        return
    with contextlib.suppress(OSError):          # the one path that a kubelet cannot be told
        os.unlink("/var/lib/kubelet/device-plugins/kubelet.sock")
        os.removedirs("/var/lib/kubelet/device-plugins")
    with contextlib.suppress(OSError, ValueError):
        for name, value in json.loads(system.read_text(KERNEL_WAS)).items():
            if value and system.read_text(f"/proc/sys/{name}", value).strip() != value:
                with open(f"/proc/sys/{name}", "w", encoding="ascii") as f:
                    f.write(value)
        os.unlink(KERNEL_WAS)


def _forget_shims(folder):
    """A killed shim leaves its socket outside our folder; its address is written in its bundle."""
    for path in glob.glob(os.path.join(folder, "containerd-state", "io.containerd.runtime.v2.task", "*", "*", "address")):
        address = system.read_text(path, "").strip()
        if address.startswith("unix:///run/containerd/s/"):
            with contextlib.suppress(OSError):
                os.unlink(address[len("unix://"):])
                os.rmdir("/run/containerd/s")       # the last one takes the folders along
                os.rmdir("/run/containerd")


def _remove_tree(folder):
    """Removes a folder, and says so when a part of it stays. Never crosses into a mount."""
    if system.mounts_below(os.path.realpath(folder)):
        raise Fail(f"{folder} still has mounts", "run `devcluster down` again")
    end = time.monotonic() + 10
    while os.path.exists(folder):
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            continue
        except OSError as e:
            if time.monotonic() > end:
                raise Fail(f"{folder} cannot be removed: {e}") from e
            time.sleep(0.05)


def check_machine(control_plane_only):
    """One line for the first thing that this machine lacks."""
    if not control_plane_only and os.geteuid() != 0:
        raise Fail("nodes need root", "run it with sudo, or use --control-plane-only")
    if not control_plane_only and os.path.exists("/var/lib/kubelet/config.yaml"):
        raise Fail("this machine is a Kubernetes node already (/var/lib/kubelet/config.yaml)",
                   "use that cluster, or another machine")
    needed = {"etcd", "openssl"} if control_plane_only else set(PROGRAMS)
    missing = sorted({PROGRAMS[x] for x in needed if not shutil.which(x, path=system.environment()["PATH"])})
    if not control_plane_only and not os.path.exists("/usr/lib/cni/bridge"):
        missing.append("containernetworking-plugins")
    if missing:
        raise Fail(f"missing packages: {' '.join(missing)}", f"apt-get install {' '.join(missing)}")
