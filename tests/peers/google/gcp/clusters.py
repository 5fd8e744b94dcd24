"""Clusters and node pools: what is accepted, what the server fills in, how they are shown."""

import copy
import re
import secrets
import uuid

from . import machines
from .backend import Backend
from .core import Problem, detail, fingerprint, stamp
from .iam import may
from .world import is_zone, short, zones_of

VERSIONS = {"RAPID": ["1.33.1-gke.1386000", "1.33.0-gke.1868000"],
            "REGULAR": ["1.32.4-gke.1415000", "1.32.3-gke.1785003"],
            "STABLE": ["1.31.8-gke.1113000", "1.31.7-gke.1265000"],
            "EXTENDED": ["1.32.4-gke.1415000", "1.30.12-gke.1086000"]}
# Accepted without a channel, too; nodes may be older.
MASTERS = ["1.33.1-gke.1386000", "1.33.0-gke.1868000", "1.32.4-gke.1415000", "1.32.3-gke.1785003",
           "1.31.9-gke.1044000", "1.31.8-gke.1113000", "1.31.7-gke.1265000", "1.30.12-gke.1086000"]
NODES = MASTERS + ["1.29.15-gke.1325000", "1.28.15-gke.1388000"]
IMAGES = ["COS_CONTAINERD", "UBUNTU_CONTAINERD", "WINDOWS_LTSC_CONTAINERD"]
NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,38}[a-z0-9])?\Z")
LABEL_KEY = re.compile(r"[a-z][-_a-z0-9]{0,62}\Z")
LABEL_VALUE = re.compile(r"[-_a-z0-9]{0,63}\Z")
SCOPES = ["https://www.googleapis.com/auth/" + s for s in (
    "devstorage.read_only", "logging.write", "monitoring", "service.management.readonly", "servicecontrol",
    "trace.append")]
EFFECTS = {"NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE"}


def invalid(message, field=None):
    details = [detail("BadRequest", fieldViolations=[{"field": field, "description": message}])] if field else []
    return Problem(400, message, details=details)


def check_name(name, field="cluster.name"):
    if not isinstance(name, str) or not NAME.match(name):
        raise invalid(f"Invalid value for field \"{field}\": \"{name}\". Must be a match of regex "
                      "'(?:[a-z](?:[-a-z0-9]{0,38}[a-z0-9])?)'.", field)


def check_labels(labels, field="cluster.resource_labels"):
    for key, value in (labels or {}).items():
        if not LABEL_KEY.match(key) or not LABEL_VALUE.match(value):
            raise invalid(f"Invalid value for field \"{field}\": label \"{key}\": \"{value}\" is not valid: keys and "
                          "values are lower-case letters, digits, underscores and dashes, at most 63 of them.", field)
    if len(labels or {}) > 64:
        raise invalid(f"Invalid value for field \"{field}\": more than 64 labels.", field)


def version_of(wanted, channel, valid):
    """What an alias stands for: "", "-", "latest", 1.X, 1.X.Y or a full version."""
    in_channel = VERSIONS.get(channel, VERSIONS["REGULAR"])
    if wanted in (None, "", "-"):
        return in_channel[0]
    if wanted == "latest":
        return (in_channel if channel in VERSIONS else valid)[0]
    for version in in_channel + valid:
        if version == wanted or version.startswith(wanted + ".") or version.startswith(wanted + "-"):
            return version
    raise invalid(f"Master version \"{wanted}\" is unsupported.", "cluster.initial_cluster_version")


def check_autoscaling(scaling):
    if not scaling or not scaling.get("enabled"):
        return
    total = [k for k in ("totalMinNodeCount", "totalMaxNodeCount") if scaling.get(k)]
    each = [k for k in ("minNodeCount", "maxNodeCount") if scaling.get(k)]
    if total and each:
        raise invalid("Autoscaling limits can be given per zone or in total, not both.", "node_pool.autoscaling")
    low, high = (int(scaling.get(k) or 0) for k in (
        ("totalMinNodeCount", "totalMaxNodeCount") if total else ("minNodeCount", "maxNodeCount")))
    if high < max(1, low):
        raise invalid(f"Node pool autoscaling: maximum {high} must be at least 1 and not below the minimum {low}.",
                      "node_pool.autoscaling")


def check_pool(world, project, pool, principal):
    check_name(pool.get("name"), "node_pool.name")
    config = pool.get("config") or {}
    name = config.get("machineType", "e2-medium")
    if machines.machine(name) is None:
        raise invalid(f"Machine type with name \"{name}\" does not exist in the zones of the node pool.",
                      "node_pool.config.machine_type")
    if config.get("imageType", "COS_CONTAINERD").upper() not in IMAGES:
        raise invalid(f"Node image \"{config['imageType']}\" is not supported.", "node_pool.config.image_type")
    if not 10 <= int(config.get("diskSizeGb") or 100) <= 65536:
        raise invalid("Disk size must be between 10 and 65536 GB.", "node_pool.config.disk_size_gb")
    if any(t.get("effect") not in EFFECTS for t in config.get("taints") or []):
        raise invalid("Taint effect must be NO_SCHEDULE, PREFER_NO_SCHEDULE or NO_EXECUTE.", "node_pool.config.taints")
    if not 0 <= int(pool.get("initialNodeCount") or 0) <= 1000:
        raise invalid("Node count must be between 0 and 1000.", "node_pool.initial_node_count")
    check_labels(config.get("resourceLabels"), "node_pool.config.resource_labels")
    check_autoscaling(pool.get("autoscaling"))
    if pool.get("version"):
        version_of(pool["version"], None, NODES)
    account = config.get("serviceAccount") or "default"
    if not may(project, principal, "iam.serviceAccounts.actAs"):
        raise Problem(403, f"The user does not have access to service account \"{account}\". Ask a project owner to "
                      "grant you the iam.serviceAccountUser role on the service account.")


def check_cluster(world, project, location, body, principal):
    """Everything that the server refuses before there is an operation."""
    check_name(body.get("name"))
    check_labels(body.get("resourceLabels"))
    pools = body.get("nodePools") or []
    old = [f for f in ("initialNodeCount", "nodeConfig") if body.get(f)]
    autopilot = bool((body.get("autopilot") or {}).get("enabled"))
    if pools and old:
        raise invalid(f"Cluster.{old[0]} and Cluster.nodePools are exclusive.", "cluster.node_pools")
    if not pools and not body.get("initialNodeCount") and not autopilot:
        raise invalid("Cluster.initial_node_count must be greater than zero.", "cluster.initial_node_count")
    if autopilot and is_zone(location):
        raise invalid("Autopilot clusters must be regional clusters.", "cluster.autopilot")
    network = body.get("networkConfig") or {}
    if network.get("datapathProvider") == "ADVANCED_DATAPATH" and (body.get("networkPolicy") or {}).get("enabled"):
        raise invalid("Enabling NetworkPolicy for clusters with DatapathProvider=ADVANCED_DATAPATH is not allowed (yes, "
                      "it is enforced there anyway).", "cluster.network_policy")
    if len({p.get("name") for p in pools}) != len(pools):
        raise invalid("Node pool names must be unique.", "cluster.node_pools")
    wanted = (body.get("workloadIdentityConfig") or {}).get("workloadPool")
    if wanted and wanted != f"{project.name}.svc.id.goog":
        raise invalid(f"The workload pool must be {project.name}.svc.id.goog.", "cluster.workload_identity_config")
    for zone in body.get("locations") or []:
        if not is_zone(zone) or short(zone) != short(location):
            raise invalid(f"Location \"{zone}\" is not a zone of {short(location)}.", "cluster.locations")
    for pool in pools:
        check_pool(world, project, pool, principal)
    channel = (body.get("releaseChannel") or {}).get("channel")
    if channel not in (None, "UNSPECIFIED", *VERSIONS):
        raise invalid(f"Release channel \"{channel}\" is unknown.", "cluster.release_channel")
    version_of(body.get("initialClusterVersion"), channel, MASTERS)


def node_config(given):
    disk, size = given.get("diskType", "pd-balanced"), int(given.get("diskSizeGb") or 100)
    labels = {"goog-gke-node-pool-provisioning-model": "spot" if given.get("spot") else "on-demand"}
    config = {"diskSizeGb": size, "diskType": disk, "bootDisk": {"diskType": disk, "sizeGb": str(size)},
              "imageType": "COS_CONTAINERD", "machineType": "e2-medium", "oauthScopes": SCOPES,
              "metadata": {"disable-legacy-endpoints": "true"}, "serviceAccount": "default",
              "shieldedInstanceConfig": {"enableIntegrityMonitoring": True}, "windowsNodeConfig": {},
              "effectiveCgroupMode": "EFFECTIVE_CGROUP_MODE_V2",
              "kubeletConfig": {"insecureKubeletReadonlyPortEnabled": False, "maxParallelImagePulls": 2}}
    config |= {k: v for k, v in given.items() if k not in ("diskSizeGb", "diskType")}
    config["imageType"] = config["imageType"].upper()
    config["resourceLabels"] = {**given.get("resourceLabels", {}), **labels}
    return config


class Cluster:
    def __init__(self, world, project, location, given):
        self.world, self.project, self.location, self.name = world, project, location, given["name"]
        self.id, self.operation = secrets.token_hex(32), None
        self.hash = self.id[:8]             # what the names of its firewalls carry
        self.uid = str(uuid.uuid4())        # of kube-system: what its controllers write on what they make
        self.mirrored = {"services": set(), "volumes": set()}
        self.backend = Backend(world, self)
        self.created = world.clock.wall()
        self.body = self.filled(copy.deepcopy(given))

    @property
    def key(self):
        return (self.location, self.name)

    @property
    def status(self):
        return self.body["status"]

    @property
    def autopilot(self):
        return bool(self.body["autopilot"].get("enabled"))

    @property
    def zones(self):
        return self.body["locations"]

    def filled(self, given):
        """The body with what the server chooses. The endpoint comes later."""
        project, region = self.project.name, short(self.location)
        pools = given.pop("nodePools", None) or [{
            "name": "default-pool", "initialNodeCount": given.get("initialNodeCount", 1),
            "config": given.get("nodeConfig", {})}]
        given.pop("initialNodeCount", None)
        given.pop("nodeConfig", None)
        channel = (given.get("releaseChannel") or {}).get("channel") or "REGULAR"
        version = version_of(given.get("initialClusterVersion"), channel, MASTERS)
        number = int(self.hash[:3], 16)
        pods, services = f"10.{number % 60 * 4}.0.0/14", f"34.118.{number % 15 * 16}.0/20"
        subnet = f"projects/{project}/regions/{region}/subnetworks/{given.get('subnetwork', 'default')}"
        base = {
            "addonsConfig": {"kubernetesDashboard": {"disabled": True}, "networkPolicyConfig": {"disabled": True},
                             "gcePersistentDiskCsiDriverConfig": {"enabled": True}},
            "anonymousAuthenticationConfig": {"mode": "ENABLED"},
            "autopilot": {}, "autoscaling": {"autoscalingProfile": "BALANCED"}, "binaryAuthorization": {},
            "clusterIpv4Cidr": pods, "databaseEncryption": {"state": "DECRYPTED"},
            "defaultMaxPodsConstraint": {"maxPodsPerNode": "110"}, "enterpriseConfig": {"clusterTier": "STANDARD"},
            "id": self.id, "initialClusterVersion": version, "legacyAbac": {}, "location": self.location,
            "locations": zones_of(self.location), "loggingService": "logging.googleapis.com/kubernetes",
            "loggingConfig": {"componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS", "WORKLOADS"]}},
            "maintenancePolicy": {"resourceVersion": secrets.token_hex(4)},
            "masterAuth": {"clientCertificateConfig": {}}, "masterAuthorizedNetworksConfig": {},
            "monitoringService": "monitoring.googleapis.com/kubernetes",
            "monitoringConfig": {"componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS"]},
                                 "managedPrometheusConfig": {"enabled": True}},
            "network": "default", "networkConfig": {"network": f"projects/{project}/global/networks/default",
                                                    "subnetwork": subnet, "serviceExternalIpsConfig": {}},
            "notificationConfig": {"pubsub": {}}, "releaseChannel": {"channel": channel},
            "securityPostureConfig": {"mode": "BASIC"}, "servicesIpv4Cidr": services,
            "shieldedNodes": {"enabled": True}, "subnetwork": "default", "zone": self.location,
            "controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"enabled": True, "enablePublicEndpoint": True},
                                            "dnsEndpointConfig": {"allowExternalTraffic": False}},
            "ipAllocationPolicy": {"clusterIpv4Cidr": pods, "clusterIpv4CidrBlock": pods, "servicesIpv4Cidr": services,
                                   "servicesIpv4CidrBlock": services, "stackType": "IPV4", "useIpAliases": True,
                                   "podCidrOverprovisionConfig": {}},
        }
        for key, value in given.items():
            base[key] = {**base[key], **value} if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        base |= {"initialClusterVersion": version, "currentMasterVersion": version, "currentNodeVersion": version,
                 "status": "PROVISIONING", "createTime": stamp(self.created)}
        base["nodePools"] = [self.pool(p, version, base) for p in pools]
        return base

    def pool(self, given, version=None, body=None):
        body = body or self.body
        config = node_config(given.get("config") or {})
        pool = {**given, "config": config, "initialNodeCount": int(given.get("initialNodeCount") or 0),
                "version": version_of(given.get("version"), body["releaseChannel"]["channel"], NODES)
                if given.get("version") else version or body["currentMasterVersion"],
                "status": "PROVISIONING", "podIpv4CidrSize": 24, "etag": secrets.token_hex(4),
                "locations": given.get("locations") or body["locations"], "queuedProvisioning": {},
                "maxPodsConstraint": given.get("maxPodsConstraint") or {"maxPodsPerNode": "110"}}
        pool.setdefault("management", {"autoRepair": True, "autoUpgrade": True})
        pool.setdefault("upgradeSettings", {"maxSurge": 1, "strategy": "SURGE"})
        pool.setdefault("networkConfig", {"podIpv4CidrBlock": body["clusterIpv4Cidr"], "podIpv4RangeUtilization": 0.001})
        pool["x-count"] = self.first_count(pool)
        pool["x-hash"] = secrets.token_hex(4)
        return pool

    @staticmethod
    def first_count(pool):
        """Nodes per zone at the start: what was asked, within the autoscaler's limits."""
        scaling, count = pool.get("autoscaling") or {}, pool["initialNodeCount"]
        if scaling.get("enabled"):
            count = max(count, int(scaling.get("minNodeCount") or 0))
        return count

    def find_pool(self, name):
        for pool in self.body["nodePools"]:
            if pool["name"] == name:
                return pool
        raise Problem(404, f"Not found: projects/{self.project.name}/zones/{self.location}/clusters/{self.name}/"
                      f"nodePools/{name}.", reason="notFound")

    @property
    def private(self):
        """Do the nodes do without addresses of the internet?"""
        return bool((self.body.get("privateClusterConfig") or {}).get("enablePrivateNodes")
                    or self.body["networkConfig"].get("defaultEnablePrivateNodes"))

    def needs(self, pools):
        """(metric: amount in the region, CPUs in all) that these pools take with their first nodes."""
        total, cpus = {}, 0
        for pool in pools if not self.autopilot else ():
            nodes = pool["x-count"] * len(pool["locations"])
            for metric, amount in machines.pool_needs(self.project, short(self.location), pool["config"], nodes,
                                                      self.private).items():
                machines.add(total, metric, amount)
            cpus += machines.machine(pool["config"]["machineType"])[0] * nodes
        return total, cpus

    def publish_endpoint(self):
        """Not there for the first part of PROVISIONING."""
        if self.backend.endpoint is None or "endpoint" in self.body:
            return
        number, body = int(self.hash[:4], 16), self.body
        inside = f"10.128.{number % 250}.{number // 250 % 250 + 2}"
        plane = body["controlPlaneEndpointsConfig"]
        hidden = (body.get("privateClusterConfig") or {}).get("enablePrivateEndpoint") or \
            plane.get("ipEndpointsConfig", {}).get("enablePublicEndpoint") is False
        # A private endpoint is the real one here, too: someone has to answer there.
        body["endpoint"] = self.backend.endpoint
        addresses = {"privateEndpoint": self.backend.endpoint if hidden else inside}
        if not hidden:
            addresses["publicEndpoint"] = self.backend.endpoint
        plane["ipEndpointsConfig"] = {**plane.get("ipEndpointsConfig", {}), **addresses}
        plane["dnsEndpointConfig"] = {**plane.get("dnsEndpointConfig", {}), "endpoint":
                                      f"gke-{self.hash}-{self.project.number}.{short(self.location)}.gke.goog"}
        body["privateClusterConfig"] = {**body.get("privateClusterConfig", {}), **addresses}
        body["masterAuth"]["clusterCaCertificate"] = self.backend.ca

    def pool_shown(self, pool, base):
        out = {k: copy.deepcopy(v) for k, v in pool.items() if not k.startswith("x-")}
        root = f"{base}/v1/projects/{self.project.name}/zones/{self.location}/clusters/{self.name}"
        groups = [f"{base}/compute/v1/projects/{self.project.name}/zones/{z}/instanceGroupManagers/"
                  f"gke-{self.name}-{pool['name']}-{pool['x-hash']}-grp" for z in pool["locations"]]
        return out | {"selfLink": f"{root}/nodePools/{pool['name']}"} | (
            {"instanceGroupUrls": groups} if not self.autopilot else {})

    def shown(self, base):
        out = copy.deepcopy({k: v for k, v in self.body.items() if k != "nodePools" and not k.startswith("x-")})
        out["nodePools"] = [self.pool_shown(p, base) for p in self.body["nodePools"]]
        out["selfLink"] = f"{base}/v1/projects/{self.project.name}/zones/{self.location}/clusters/{self.name}"
        out["labelFingerprint"] = fingerprint(self.body.get("resourceLabels") or {})
        out["etag"] = fingerprint(out)
        out["currentNodeCount"] = sum(p["x-count"] * len(p["locations"]) for p in self.body["nodePools"]
                                      if p["status"] != "PROVISIONING")
        if out["nodePools"]:
            out["nodeConfig"] = out["nodePools"][0]["config"]
            out["instanceGroupUrls"] = [u for p in out["nodePools"] for u in p.get("instanceGroupUrls", [])]
        if not out["currentNodeCount"]:
            del out["currentNodeCount"]
        return out

    def summary(self):
        """For the ledger."""
        return {"name": self.name, "location": self.location, "status": self.status, "operation": self.operation,
                "uid": self.uid, "labels": self.body.get("resourceLabels") or {}, "endpoint": self.body.get("endpoint"),
                "nodePools": {p["name"]: {"nodesPerZone": p["x-count"], "zones": p["locations"],
                                          "autoscaling": p.get("autoscaling"), "status": p["status"],
                                          "machineType": p["config"]["machineType"]}
                              for p in self.body["nodePools"]}}
