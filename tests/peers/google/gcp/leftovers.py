"""What clusters make in compute: nodes, which go with the cluster, and what controllers inside of it made,
which stays behind when the cluster is deleted before its Services and volumes are."""

import json
import secrets

from .core import compute_stamp, fingerprint
from .world import short

KINDS = {"instances": "instance", "disks": "disk", "firewalls": "firewall", "forwardingRules": "forwardingRule",
         "targetPools": "targetPool", "backendServices": "backendService", "healthChecks": "healthCheck",
         "httpHealthChecks": "httpHealthCheck", "addresses": "address", "networkEndpointGroups": "networkEndpointGroup",
         "instanceGroups": "instanceGroup", "instanceGroupManagers": "instanceGroupManager",
         "instanceTemplates": "instanceTemplate", "networks": "network", "subnetworks": "subnetwork",
         "routes": "route", "urlMaps": "urlMap", "targetHttpProxies": "targetHttpProxy",
         "targetHttpsProxies": "targetHttpsProxy", "sslCertificates": "sslCertificate"}


def link(project, scope, kind, name):
    """As others are named in a body; {base} is replaced when it is shown."""
    return f"{{base}}/compute/v1/projects/{project.name}/{scope}/{kind}/{name}"


def put(world, project, scope, kind, name, body):
    """Adds an object to the ledger with what every compute resource carries."""
    area, _, where = scope.partition("/")
    full = {"kind": f"compute#{KINDS.get(kind, kind)}", "id": world.number(), "name": name,
            "creationTimestamp": compute_stamp(world.clock.wall()), "selfLink": link(project, scope, kind, name)}
    if where:
        full[area[:-1]] = f"{{base}}/compute/v1/projects/{project.name}/{scope}"
    full |= {k: v for k, v in body.items() if v is not None}
    if "labels" in full or kind in ("disks", "instances", "addresses", "forwardingRules"):
        full["labelFingerprint"] = fingerprint(full.get("labels") or {})
    project.resources[(kind, scope, name)] = full
    return full


def network(project):
    return link(project, "global", "networks", "default")


# The cluster's own

def make_cluster(world, cluster):
    for pool in cluster.body["nodePools"]:
        count, pool["x-count"] = pool["x-count"], 0
        scale(world, cluster, pool, count)
    for suffix, ports in (("all", None), ("vms", ["1-65535"]), ("master", ["443", "10250"])):
        put(world, cluster.project, "global", "firewalls", f"gke-{cluster.name}-{cluster.hash}-{suffix}", {
            "network": network(cluster.project), "direction": "INGRESS", "priority": 1000, "description": "",
            "allowed": [{"IPProtocol": "tcp", **({"ports": ports} if ports else {})}],
            "sourceRanges": [cluster.body["clusterIpv4Cidr"]], "targetTags": [f"gke-{cluster.name}-{cluster.hash}-node"],
            "x-cluster": cluster.key})


def group_name(cluster, pool):
    return f"gke-{cluster.name}-{pool['name']}-{pool['x-hash']}-grp"


def nodes_of(cluster, pool, zone):
    prefix = f"gke-{cluster.name}-{pool['name']}-{pool['x-hash']}-"
    return sorted(n for k, s, n in cluster.project.resources
                  if k == "instances" and s == f"zones/{zone}" and n.startswith(prefix))


def scale(world, cluster, pool, count):
    """Makes it so many nodes in each zone of the pool."""
    pool["x-count"] = count
    if cluster.autopilot:
        return
    project = cluster.project
    for zone in pool["locations"]:
        scope, group = f"zones/{zone}", group_name(cluster, pool)
        for kind in ("instanceGroups", "instanceGroupManagers"):
            if (kind, scope, group) not in project.resources:
                put(world, project, scope, kind, group, {
                    "network": network(project), "size": 0, "targetSize": 0, "description": "",
                    "fingerprint": fingerprint(group), "x-cluster": cluster.key})
        have = nodes_of(cluster, pool, zone)
        for name in have[count:]:
            del project.resources[("instances", scope, name)]
            project.resources.pop(("disks", scope, name), None)
        for _ in range(count - len(have)):
            node(world, cluster, pool, zone)
        project.resources[("instanceGroups", scope, group)]["size"] = count
        project.resources[("instanceGroupManagers", scope, group)]["targetSize"] = count


def node(world, cluster, pool, zone):
    project, config, scope = cluster.project, pool["config"], f"zones/{zone}"
    name = f"gke-{cluster.name}-{pool['name']}-{pool['x-hash']}-{secrets.token_hex(2)}"
    labels = {"goog-gke-node": "", "goog-k8s-cluster-name": cluster.name, "goog-k8s-cluster-location": cluster.location,
              "goog-k8s-node-pool-name": pool["name"], **(cluster.body.get("resourceLabels") or {})}
    place = f"{{base}}/compute/v1/projects/{project.name}/{scope}"
    number = len(project.resources) % 60000
    interface = {"kind": "compute#networkInterface", "network": network(project), "name": "nic0",
                 "networkIP": f"10.128.{number // 250}.{number % 250 + 2}"}
    if not cluster.private:
        interface["accessConfigs"] = [{"kind": "compute#accessConfig", "type": "ONE_TO_ONE_NAT", "name": "external-nat",
                                       "natIP": f"203.0.113.{number % 250 + 2}"}]
    put(world, project, scope, "disks", name, {
        "sizeGb": str(config["diskSizeGb"]), "type": f"{place}/diskTypes/{config['diskType']}", "status": "READY",
        "labels": labels, "users": [link(project, scope, "instances", name)], "x-cluster": cluster.key})
    put(world, project, scope, "instances", name, {
        "status": "RUNNING" if cluster.status != "PROVISIONING" else "STAGING", "labels": labels,
        "machineType": f"{place}/machineTypes/{config['machineType']}", "networkInterfaces": [interface],
        "tags": {"items": [f"gke-{cluster.name}-{cluster.hash}-node", *config.get("tags", [])]},
        "disks": [{"autoDelete": True, "boot": True, "source": link(project, scope, "disks", name),
                   "type": "PERSISTENT"}],
        "scheduling": {"provisioningModel": "SPOT", "preemptible": True} if config.get("spot") else {
            "provisioningModel": "STANDARD"},
        "x-cluster": cluster.key})


def nodes_running(cluster):
    for (kind, _, _), body in cluster.project.resources.items():
        if kind == "instances" and body.get("x-cluster") == cluster.key:
            body["status"] = "RUNNING"


def drop(project, wanted):
    for key in [k for k, b in project.resources.items() if wanted(k, b)]:
        del project.resources[key]


def remove_groups(cluster, pool):
    group = group_name(cluster, pool)
    drop(cluster.project, lambda k, _b: k[0] in ("instanceGroups", "instanceGroupManagers") and k[2] == group)


def remove_nodes(_world, cluster):
    """With them the volumes are detached, and stay."""
    gone = {b["selfLink"] for (k, _, _), b in cluster.project.resources.items()
            if k == "instances" and b.get("x-cluster") == cluster.key}
    drop(cluster.project, lambda k, b: k[0] in ("instances", "instanceGroups", "instanceGroupManagers", "disks")
         and b.get("x-cluster") == cluster.key)
    for body in cluster.project.resources.values():
        if body.get("users"):
            body["users"] = [u for u in body["users"] if u not in gone]
    for pool in cluster.body["nodePools"]:
        pool["x-count"] = 0


def remove_cluster(world, cluster):
    remove_nodes(world, cluster)
    drop(cluster.project, lambda _k, b: b.get("x-cluster") == cluster.key)


# What controllers in the cluster make

def volume(world, cluster, spec):
    """The disk behind a volume: {"pv", "claim", "namespace", "sizeGb", "type", "zone"}."""
    project, zone = cluster.project, spec.get("zone") or cluster.zones[0]
    name, namespace = spec["pv"], spec.get("namespace", "default")
    nodes = [b for (k, s, _), b in project.resources.items()
             if k == "instances" and s == f"zones/{zone}" and b.get("x-cluster") == cluster.key]
    text = json.dumps({"kubernetes.io/created-for/pv/name": name, "kubernetes.io/created-for/pvc/name":
                       spec.get("claim", "data"), "kubernetes.io/created-for/pvc/namespace": namespace,
                       "storage.gke.io/created-by": "pd.csi.storage.gke.io"}, separators=(",", ":"))
    put(world, project, f"zones/{zone}", "disks", name, {
        "sizeGb": str(spec.get("sizeGb", 10)), "status": "READY", "description": text,
        "type": f"{{base}}/compute/v1/projects/{project.name}/zones/{zone}/diskTypes/{spec.get('type', 'pd-balanced')}",
        "labels": {"goog-k8s-cluster-name": cluster.name, "goog-k8s-cluster-location": cluster.location,
                   "goog-k8s-node-pool-name": cluster.body["nodePools"][0]["name"]} if spec.get("labels", True) else None,
        "users": [nodes[0]["selfLink"]] if nodes and spec.get("attached", True) else None, "x-volume": cluster.key})
    return f"projects/{project.name}/zones/{zone}/disks/{name}"


def service(world, cluster, spec):
    """The load balancer of a Service: {"uid", "namespace", "name", "kind": target-pool|internal|neg|ingress, "address"}."""
    kind = spec.get("kind", "target-pool")
    made = {"target-pool": target_pool, "internal": internal, "neg": endpoint_groups,
            "ingress": ingress}[kind](world, cluster, spec)
    project, uid = cluster.project, spec["uid"].replace("-", "")
    if spec.get("address") and kind == "target-pool":
        region = f"regions/{short(cluster.location)}"
        put(world, project, region, "addresses", f"a{uid}"[:32], {
            "address": made, "status": "IN_USE", "addressType": "EXTERNAL", "description": described(spec),
            "users": [link(project, region, "forwardingRules", f"a{uid}"[:32])], "x-service": spec["uid"]})
    return made


def described(spec, **more):
    return json.dumps({"kubernetes.io/service-name": f"{spec.get('namespace', 'default')}/{spec.get('name', 'svc')}",
                       **more}, separators=(",", ":"))


def target_pool(world, cluster, spec):
    project, region = cluster.project, f"regions/{short(cluster.location)}"
    uid, mark = spec["uid"], {"x-service": spec["uid"]}
    name, cluster_id = f"a{uid.replace('-', '')}"[:32], cluster.uid.replace("-", "")[:16]
    address = f"203.0.113.{int(fingerprint(uid).encode()[0]) % 250 + 2}"
    check = f"k8s-{cluster_id}-node"
    put(world, project, "global", "httpHealthChecks", check, {"port": 10256, "requestPath": "/healthz",
        "description": '{"kubernetes.io/service-name":"k8s-node"}', **mark})
    put(world, project, region, "targetPools", name, {
        "description": described(spec), "sessionAffinity": "NONE",
        "healthChecks": [link(project, "global", "httpHealthChecks", check)], "instances": [
            b["selfLink"] for (k, _, _), b in project.resources.items()
            if k == "instances" and b.get("x-cluster") == cluster.key], **mark})
    put(world, project, region, "forwardingRules", name, {
        "description": described(spec), "IPAddress": address, "IPProtocol": "TCP", "portRange": "8080-8080",
        "loadBalancingScheme": "EXTERNAL", "networkTier": "PREMIUM", "target": link(project, region, "targetPools", name),
        "ipVersion": "IPV4", **mark})
    tags = [f"gke-{cluster.name}-{cluster.hash}-node"]
    rule = {"network": network(project), "direction": "INGRESS", "priority": 1000, "targetTags": tags, **mark}
    put(world, project, "global", "firewalls", f"k8s-fw-{name}", {
        **rule, "description": described(spec, **{"kubernetes.io/service-ip": address}), "sourceRanges": ["0.0.0.0/0"],
        "allowed": [{"IPProtocol": "tcp", "ports": ["8080"]}]})
    put(world, project, "global", "firewalls", f"k8s-{cluster_id}-node-http-hc", {
        **rule, "description": '{"kubernetes.io/cluster-id":"%s"}' % cluster_id,
        "sourceRanges": ["35.191.0.0/16", "209.85.152.0/22"], "allowed": [{"IPProtocol": "tcp", "ports": ["10256"]}]})
    return address


def internal(world, cluster, spec):
    """An internal load balancer with subsetting: its objects carry a hash of the Service."""
    project, region = cluster.project, f"regions/{short(cluster.location)}"
    mark, name = {"x-service": spec["uid"]}, f"k8s2-{cluster.hash}-{spec.get('namespace', 'default')}-" \
                                             f"{spec.get('name', 'svc')}-{fingerprint(spec['uid'])[:4].lower()}"
    name = "".join(c if c.isalnum() or c == "-" else "x" for c in name)[:63]
    put(world, project, region, "healthChecks", name, {"type": "HTTP", "description": described(spec), **mark})
    for zone in cluster.zones:
        group(world, cluster, zone, name, spec, "GCE_VM_IP")
    put(world, project, region, "backendServices", name, {
        "description": described(spec), "loadBalancingScheme": "INTERNAL", "protocol": "TCP",
        "healthChecks": [link(project, region, "healthChecks", name)],
        "backends": [{"group": link(project, f"zones/{z}", "networkEndpointGroups", name)} for z in cluster.zones], **mark})
    put(world, project, region, "forwardingRules", f"{name}-fr"[-63:], {
        "description": described(spec), "IPAddress": "10.128.15.200", "IPProtocol": "TCP", "ports": ["8080"],
        "loadBalancingScheme": "INTERNAL", "backendService": link(project, region, "backendServices", name), **mark})
    put(world, project, "global", "firewalls", name, {
        "network": network(project), "direction": "INGRESS", "priority": 999, "description": described(spec),
        "allowed": [{"IPProtocol": "tcp", "ports": ["8080"]}], "sourceRanges": ["10.128.0.0/20"], **mark})
    return "10.128.15.200"


def group(world, cluster, zone, name, spec, kind):
    port = str(spec.get("port", 8080))
    put(world, cluster.project, f"zones/{zone}", "networkEndpointGroups", name, {
        "networkEndpointType": kind, "size": 0, "network": network(cluster.project), "description": json.dumps({
            "cluster-uid": cluster.uid, "namespace": spec.get("namespace", "default"),
            "service-name": spec.get("name", "svc"), "port": port}, separators=(",", ":")),
        "annotations": {"cluster-uid": cluster.uid}, "x-service": spec["uid"]})


def endpoint_groups(world, cluster, spec):
    name = f"k8s1-{cluster.hash}-{spec.get('namespace', 'default')}-{spec.get('name', 'svc')}-{spec.get('port', 8080)}-" \
           f"{cluster.hash[::-1]}"[:63]
    for zone in cluster.zones:
        group(world, cluster, zone, name, spec, "GCE_VM_IP_PORT")
    return name


def ingress(world, cluster, spec):
    """A chain of the whole project, each link held by the one before it; the groups are at its end."""
    project, mark, short_uid = cluster.project, {"x-service": spec["uid"]}, cluster.uid[:8]
    group_of, text = endpoint_groups(world, cluster, spec), {"description": json.dumps({
        "kubernetes.io/ingress-name": f"{spec.get('namespace', 'default')}/{spec.get('name', 'svc')}"})}
    tail = f"{short_uid}-{spec.get('namespace', 'default')}-{spec.get('name', 'svc')}-{spec['uid'][:8]}"
    rule, proxy, urls = (f"k8s2-{part}-{tail}"[:63] for part in ("fr", "tp", "um"))

    def at(kind, name):
        return link(project, "global", kind, name)

    put(world, project, "global", "healthChecks", group_of, {"type": "HTTP", **text, **mark})
    put(world, project, "global", "backendServices", group_of, {
        "loadBalancingScheme": "EXTERNAL", "protocol": "HTTP", "healthChecks": [at("healthChecks", group_of)], "backends": [
            {"group": link(project, f"zones/{z}", "networkEndpointGroups", group_of)} for z in cluster.zones],
        "description": described(spec, **{"kubernetes.io/service-port": str(spec.get("port", 8080))}), **mark})
    put(world, project, "global", "urlMaps", urls, {"defaultService": at("backendServices", group_of), **text, **mark})
    put(world, project, "global", "targetHttpProxies", proxy, {"urlMap": at("urlMaps", urls), **text, **mark})
    put(world, project, "global", "forwardingRules", rule, {
        "IPAddress": "203.0.113.99", "IPProtocol": "TCP", "portRange": "80-80", "loadBalancingScheme": "EXTERNAL",
        "target": at("targetHttpProxies", proxy), **text, **mark})
    return "203.0.113.99"


def remove_service(project, uid):
    drop(project, lambda _k, b: b.get("x-service") == uid)


def remove_volume(project, name):
    drop(project, lambda k, b: k[0] == "disks" and k[2] == name and "x-volume" in b)
