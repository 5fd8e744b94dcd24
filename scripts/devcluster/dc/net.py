"""Network namespaces, links, routes and addresses of one cluster."""

import contextlib
import hashlib
import ipaddress
import json
import os
import random
import re
import socket
import subprocess

from .say import Fail, USAGE
from .system import mounts, read_text, run

PODS = "10.244.0.0/16"
SERVICES = "10.96.0.0/16"
NETNS = "/run/netns"
POOL = "100.64.0.0/10"
NODES_MOST = 16


class Net:
    """Node 0 hangs on the host by one veth, every other node on node 0. Nothing routes to the outside."""

    def __init__(self, name, cidr):
        self.name = name
        self.cidr = ipaddress.ip_network(cidr)
        self.host_link = "dc" + hashlib.sha256(name.encode()).hexdigest()[:8]

    def ns(self, i):
        return f"devcluster-{self.name}.{i}"

    def ns_path(self, i):
        return f"{NETNS}/{self.ns(i)}"

    def gateway(self, i):
        return str(self.cidr[4 * i + 1])

    def address(self, i):
        return str(self.cidr[4 * i + 2])

    @staticmethod
    def pods(i):
        return f"10.244.{i}.0/24"

    def identity(self, i):
        """Changes when the namespace is another one: all that ran in the old one must start again."""
        if not self.exists(i):
            return None
        at = os.stat(self.ns_path(i))
        return f"{at.st_dev}:{at.st_ino}"

    def exists(self, i):
        return (self.ns_path(i), "nsfs") in mounts()

    def present(self):
        """The numbers of the namespaces that exist, whole or half made."""
        pattern = re.compile(re.escape(f"devcluster-{self.name}.") + r"(\d+)$")
        with contextlib.suppress(FileNotFoundError):
            return sorted(int(m.group(1)) for m in map(pattern.match, os.listdir(NETNS)) if m)
        return []

    def _ip(self, i, *args, ok=(0,)):
        return run(["ip", *(["-n", self.ns(i)] if i is not None else []), *args], ok=ok)

    def _has(self, i, link):
        return self._ip(i, "link", "show", "dev", link, ok=None)[0] == 0

    def make(self, nodes):
        """Makes or repairs everything for that many nodes; what is in order stays untouched."""
        for i in range(nodes):
            if not self.exists(i):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.ns_path(i))      # the empty file of an `ip netns add` that was killed
                run(["ip", "netns", "add", self.ns(i)])
            self._link(i)
            self._inside(i)
        run(["ip", "route", "replace", str(self.cidr), "via", self.address(0), "dev", self.host_link])

    def _link(self, i):
        above, link = (None, self.host_link) if i == 0 else (0, f"node{i}")
        if not (self._has(above, link) and self._has(i, "eth0")):
            self._ip(above, "link", "del", "dev", link, ok=None)
            self._ip(i, "link", "del", "dev", "eth0", ok=None)
            self._ip(above, "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", self.ns(i))
        self._ip(above, "addr", "replace", f"{self.gateway(i)}/30", "dev", link)
        self._ip(above, "link", "set", link, "up")
        self._ip(i, "link", "set", "lo", "up")
        self._ip(i, "addr", "replace", f"{self.address(i)}/30", "dev", "eth0")
        self._ip(i, "link", "set", "eth0", "up")
        self._ip(i, "route", "replace", "unreachable", "default")
        self._ip(i, "-6", "route", "replace", "unreachable", "default", ok=None)
        if i > 0:
            self._ip(i, "route", "replace", str(self.cidr), "via", self.gateway(i))
            self._ip(i, "route", "replace", PODS, "via", self.gateway(i))
            self._ip(0, "route", "replace", self.pods(i), "via", self.address(i))

    def _inside(self, i):
        script = "echo 1 > /proc/sys/net/ipv4/ip_forward\n" \
                 "echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables\n"
        if i == 0:      # so that the host can answer a pod
            rule = f"POSTROUTING -s {PODS} -o eth0 -j MASQUERADE"
            script += f"iptables -w 5 -t nat -C {rule} 2>/dev/null || iptables -w 5 -t nat -A {rule}\n"
        status, _, err = run(["nsenter", f"--net={self.ns_path(i)}", "sh", "-c", script], ok=None)
        if status:
            raise Fail(f"network of node {i}: {err.strip().splitlines()[-1] if err.strip() else status}",
                       "the kernel needs br_netfilter and iptables: modprobe br_netfilter")

    def drop_node(self, i):
        if self.exists(0):
            self._ip(0, "link", "del", "dev", f"node{i}", ok=None)
        self._drop_ns(i)

    def _drop_ns(self, i):
        if not os.path.exists(self.ns_path(i)):
            return
        status, _, err = run(["ip", "netns", "del", self.ns(i)], ok=None)
        if status:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.ns_path(i))
            if os.path.exists(self.ns_path(i)):
                raise Fail(f"network namespace {self.ns(i)} cannot be removed: {err.strip()}")

    def remove(self):
        """Links first, so that their routes are gone when this returns; then the namespaces."""
        self._ip(None, "link", "del", "dev", self.host_link, ok=None)
        for i in reversed(self.present()):
            self._drop_ns(i)


# -- what is free --------------------------------------------------------------------------------

def used_by_host(cidr, but_link=""):
    """What on this machine overlaps a range, in words; None when it is free."""
    cidr = ipaddress.ip_network(cidr)
    routes = json.loads(run(["ip", "-j", "-4", "route", "show", "table", "all"])[1] or "[]")
    for r in routes:
        if r.get("dst", "default") == "default" or r.get("dev") == but_link:
            continue
        with contextlib.suppress(ValueError):
            if ipaddress.ip_network(r["dst"], strict=False).overlaps(cidr):
                return f"the route to {r['dst']}" + (f" over {r['dev']}" if "dev" in r else "")
    return None


def choose_cidr(wanted, but_link):
    """The range for a new cluster: the wanted one if it is free, else the first free one of the pool."""
    if wanted:
        try:
            cidr = ipaddress.ip_network(wanted)
        except ValueError as e:
            raise Fail(f"--cidr {wanted}: {e}", "give an IPv4 network, as 100.64.0.0/24", USAGE) from e
        if cidr.version != 4 or cidr.num_addresses < 4 * NODES_MOST:
            raise Fail(f"--cidr {wanted} is too small", "give an IPv4 network of /26 or larger", USAGE)
        for other in (PODS, SERVICES):
            if cidr.overlaps(ipaddress.ip_network(other)):
                raise Fail(f"--cidr {wanted} overlaps {other}, which pods or Services use", "choose another", USAGE)
        user = used_by_host(cidr, but_link)
        if user:
            raise Fail(f"addresses {wanted} are in use by {user}", "choose a free range with --cidr")
        return str(cidr)
    user = None
    for third in range(256):
        cidr = f"100.64.{third}.0/24"
        user = used_by_host(cidr, but_link)
        if not user:
            return cidr
    raise Fail(f"addresses {POOL} are in use by {user}", "choose a free range with --cidr")


def port_user(port, address="127.0.0.1"):
    """Who listens on a port, in words; None when it is free."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((address, port))
            return None
        except OSError as e:
            if e.errno == 13:
                return "nobody we may ask (ports below 1024 need root)"
    out = subprocess.run(["ss", "-Hltnp", f"sport = :{port}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         stdin=subprocess.DEVNULL, timeout=10, check=False).stdout.decode()
    found = re.search(r'\(\("([^"]+)",pid=(\d+)', out)
    return f"{found.group(1)} (process {found.group(2)})" if found else "another process"


def free_port():
    """A free port of the loopback below the range that outgoing connections take theirs from."""
    low = int(read_text("/proc/sys/net/ipv4/ip_local_port_range", "32768 60999").split()[0])
    for _ in range(200):
        port = random.randrange(16000, max(low, 17000))
        if port_user(port) is None:
            return port
    raise Fail("no free port on 127.0.0.1", "give one with --port")
