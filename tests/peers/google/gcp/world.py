"""The projects and everything that exists in them. The services' modules keep their objects here."""

import copy
import fnmatch
import itertools
import secrets
import threading

from .core import Clock, Events, Problem, detail, error_info, merge

REGIONS = {"us-central1": "abcf", "us-east1": "bcd", "us-west1": "abc", "europe-west1": "bcd",
           "europe-west4": "abc", "asia-east1": "abc"}
SERVICES = ("container", "compute", "artifactregistry", "iamcredentials", "iam", "sts", "serviceusage",
            "cloudresourcemanager")
QUOTAS = {"CPUS": 72, "N2_CPUS": 72, "N2D_CPUS": 72, "C2_CPUS": 24, "C3_CPUS": 24, "T2D_CPUS": 24, "N4_CPUS": 24,
          "PREEMPTIBLE_CPUS": 0, "IN_USE_ADDRESSES": 69, "STATIC_ADDRESSES": 21, "SSD_TOTAL_GB": 4096,
          "DISKS_TOTAL_GB": 8192, "INSTANCES": 720, "INSTANCE_GROUPS": 100}
GLOBAL_QUOTAS = {"CPUS_ALL_REGIONS": 96, "FIREWALLS": 200, "FORWARDING_RULES": 150, "TARGET_POOLS": 150,
                 "BACKEND_SERVICES": 75, "HEALTH_CHECKS": 150, "NETWORKS": 15, "IN_USE_ADDRESSES": 69,
                 "STATIC_ADDRESSES": 21, "ROUTERS": 20, "URL_MAPS": 30, "NETWORK_ENDPOINT_GROUPS": 100}
# Virtual seconds; with the scale they become real ones.
DURATIONS = {"CREATE_CLUSTER": 300, "DELETE_CLUSTER": 180, "UPGRADE_MASTER": 240, "UPGRADE_NODES": 120,
             "UPDATE_CLUSTER": 30, "CREATE_NODE_POOL": 90, "DELETE_NODE_POOL": 90, "SET_NODE_POOL_SIZE": 60,
             "SET_NODE_POOL_MANAGEMENT": 10, "RECONCILE": 20, "compute": 5, "artifact": 5, "serviceusage": 5}
DEFAULTS = {
    "projects": {
        "demo-proj": {"number": "123456789"},
        "other-proj": {"number": "223456789"},
        "empty-proj": {"number": "323456789"},
        "off-proj": {"number": "423456789", "services": {"container.googleapis.com": "DISABLED"}},
    },
    "durations": DURATIONS,
    "endpointAt": 0.4,          # which part of a create goes by before there is an endpoint
    "progress": True,           # operations carry metrics
    "hideOperations": 0,        # so many polls of a new operation are answered with 404
    "concurrentOperations": 0,  # at most so many running ones in a project; 0: any number
    "enableDelay": 0,           # virtual seconds for which an API still refuses after it was enabled
    "tokenLifetime": 3599,      # real seconds
    "clockTolerance": 300,      # how far a JWT's iat may be in the future
    "waitSeconds": 10,          # how long compute's wait blocks at most
    "strictFields": True,       # unknown fields of container requests are refused
    "unreachable": [],          # zones that aggregated lists cannot reach
    "metadata": {"email": "sa@demo-proj.iam.gserviceaccount.com", "project": "demo-proj",
                 "zone": "us-central1-a", "universe": "googleapis.com",
                 "scopes": ["https://www.googleapis.com/auth/cloud-platform"]},
    "impersonation": {},        # target account: members that may become it; absent: everybody
    "subjects": {},             # subject token: subject, for tokens that are no JWT
    "pools": ["*"],             # audiences that STS knows
    "registry": "",             # host:port behind registryUri; empty: LOCATION-docker.pkg.dev
    "backends": [],             # what API server a cluster hands out; see backend.py
    "mirrorPaused": False,      # nobody looks after load balancers and disks; see mirror.py
}


def short(zone):
    """A zone's region, and a region itself."""
    return zone.rsplit("-", 1)[0] if is_zone(zone) else zone


def is_zone(location):
    region, _, letter = location.rpartition("-")
    return region in REGIONS and len(letter) == 1 and letter in REGIONS[region]


def is_location(location):
    return location in REGIONS or is_zone(location)


def zones_of(location):
    """The zones in which a cluster of that location has nodes unless it says otherwise."""
    return [location] if is_zone(location) else [f"{location}-{z}" for z in REGIONS[location][:3]]


class Project:
    def __init__(self, name, config):
        self.name, self.number = name, str(config["number"])
        self.services = {f"{s}.googleapis.com": "ENABLED" for s in SERVICES} | config.get("services", {})
        self.enabled_at = {}
        self.iam = config.get("iam", {"*": ["roles/owner"]})
        self.accounts = config.get("accounts", [f"{name}-nodes@{name}.iam.gserviceaccount.com"])
        self.quotas = config.get("quotas", {})
        self.clusters = {}      # (location, name): Cluster
        self.operations = {}    # container's, by name
        self.resources = {}     # compute's: (kind, scope, name): body
        self.compute_operations = {}
        self.inserted = {}      # requestId: operation; an insert with a known one changes nothing
        self.repositories = {}  # (location, name): body
        self.repository_operations = {}

    def quota(self, region, metric):
        """The limit in a region, or of the project when region is None."""
        given = self.quotas.get(region or "global", {})
        if metric in given:
            return float(given[metric])
        table = QUOTAS if region else GLOBAL_QUOTAS
        return float(self.quotas.get("*", {}).get(metric, table[metric]) if region else table[metric])


class World:
    """All state. Everything but the clock is touched only with the lock held."""

    def __init__(self, config=None, scale=1.0):
        self.lock = threading.RLock()
        self.clock = Clock(scale)
        self.events = Events(self.clock)
        self.start = merge(copy.deepcopy(DEFAULTS), config or {})
        self.counter = itertools.count(1)
        self.plans = []         # how coming operations end; see operations.py
        self.clear()
        self.auth = None        # set by auth.Auth
        self.faults = None      # set by faults.Faults
        self.log = None         # set by log.Log
        self.state = None       # a folder for keys and credential files
        self.base = ""          # of the plain listener

    def clear(self):
        """Nothing exists, nothing is scripted, and the configuration is that of the start."""
        self.config = copy.deepcopy(self.start)
        self.projects = {n: Project(n, c) for n, c in self.config["projects"].items()}
        self.events.heap.clear()
        self.plans.clear()

    def settle(self):
        self.events.settle()

    def project(self, name):
        for project in self.projects.values():
            if name in (project.name, project.number):
                return project
        raise Problem(403, f"Permission denied on resource project {name}.", details=[
            detail("Help", links=[{"description": "Google developers console",
                                   "url": "https://console.developers.google.com"}]),
            error_info("CONSUMER_INVALID", consumer=f"projects/{name}")])

    def unique(self):
        return next(self.counter)

    def number(self):
        """An id as compute gives them: a long decimal in a string."""
        return str(10 ** 18 + secrets.randbelow(8 * 10 ** 18))

    def duration(self, kind):
        return float(self.config["durations"].get(kind, 10))

    def reconfigure(self, change):
        """Merges a change of the configuration; known projects change their settings, new ones appear."""
        merge(self.config, change)
        for name, more in change.get("projects", {}).items():
            project = self.projects.get(name)
            if project is None:
                self.projects[name] = Project(name, self.config["projects"][name])
                continue
            project.services.update(more.get("services", {}))
            merge(project.quotas, more.get("quotas", {}))
            project.iam = more.get("iam", project.iam)
            project.accounts = more.get("accounts", project.accounts)

    def ledger(self):
        """All that exists and would be on the bill or in the way: empty means nothing is left."""
        out, count = {}, 0
        for project in self.projects.values():
            clusters = [c.summary() for c in project.clusters.values()]
            objects = {}
            for (kind, scope, name), body in sorted(project.resources.items()):
                if not body.get("x-builtin"):
                    objects.setdefault(kind, []).append({"name": name, "scope": scope, "body": public(body)})
            repositories = [r["name"] for r in project.repositories.values()]
            size = len(clusters) + sum(map(len, objects.values())) + len(repositories)
            count += size
            out[project.name] = {"clusters": clusters, "compute": objects, "repositories": repositories,
                                 "count": size}
        return {"projects": out, "count": count, "empty": count == 0}


def public(body):
    """A body without what the stand-in notes for itself."""
    return {k: v for k, v in body.items() if not k.startswith("x-")}


def matches(pattern, value):
    """Of a script: absent and "*" match all; a list matches if one of it does."""
    if pattern is None:
        return True
    if isinstance(pattern, list):
        return any(matches(p, value) for p in pattern)
    return fnmatch.fnmatchcase(str(value), str(pattern))
