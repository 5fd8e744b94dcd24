"""container v1: clusters, node pools, operations and versions."""

import copy

from . import leftovers, machines, schema
from .clusters import (IMAGES, MASTERS, NODES, VERSIONS, Cluster, check_autoscaling, check_cluster, check_labels,
                       check_pool, invalid, version_of)
from .core import Problem, Reply, Routes, detail, fingerprint, merge
from .operations import Operation, check_room, incompatible
from .world import is_location

route = Routes()
AT = r"/v1/projects/(?P<project>[^/]+)/(?:locations|zones)/(?P<location>[^/]+)"
CLUSTER = AT + r"/clusters/(?P<cluster>[^/:]+)"
POOL = CLUSTER + r"/nodePools/(?P<pool>[^/:]+)"


def scope(world, request, any_location=False):
    project, location = world.project(request.project), request.groups["location"]
    if not is_location(location) and not (any_location and location == "-"):
        raise Problem(403, f"Permission denied on 'locations/{location}' (or it may not exist).")
    return project, location


def find(world, request):
    project, location = scope(world, request)
    cluster = project.clusters.get((location, request.groups["cluster"]))
    if cluster is None:
        text = f"Not found: projects/{project.name}/zones/{location}/clusters/{request.groups['cluster']}."
        raise Problem(404, text, reason="notFound",
                      details=[detail("RequestInfo", requestId=f"0x{world.unique():x}")])
    return project, cluster


def parse(world, request, message, required=()):
    body = request.json
    if world.config["strictFields"]:
        schema.check(message, body)
    for field in required:
        if field not in body:
            raise invalid(f"Required field \"{field}\" is missing.", field)
    return body


def idle(world, project, cluster):
    """One operation at a time on a cluster, and a failed one takes none but its removal."""
    if cluster.operation and project.operations[cluster.operation].running:
        raise incompatible(cluster.operation)
    check_room(world, project)


def usable(cluster):
    if cluster.status not in ("RUNNING", "RECONCILING", "DEGRADED"):
        raise Problem(400, f"Cluster is in state {cluster.status}: it is currently being created, deleted, updated or "
                      "repaired, or has failed.", status="FAILED_PRECONDITION", reason="failedPrecondition")


def operate(world, cluster, kind, pool="", apply=None, target=None, steps=(), undo=None):
    """An operation on a living cluster: RECONCILING meanwhile, `apply` takes effect at the end."""
    op = Operation(world, cluster.project, cluster.location, kind, target or f"clusters/{cluster.name}" +
                   (f"/nodePools/{pool}" if pool else ""), cluster.name, pool)
    cluster.operation, cluster.body["status"] = op.name, "RECONCILING"

    def done(_when):
        cluster.body["status"] = "RUNNING"
        if apply:
            apply()

    def failed(_when):
        cluster.body["status"] = "RUNNING"
        if undo:
            undo(op)

    return op.run(steps, done, failed)


# Clusters

@route("POST", AT + "/clusters", "container", "container.clusters.create", write=True)
def create(world, request):
    project, location = scope(world, request)
    body = parse(world, request, "CreateClusterRequest", ("cluster",))["cluster"]
    if body.get("parent") and body["parent"] != f"projects/{project.name}/locations/{location}":
        raise invalid("The parent is not the one of the path.", "parent")
    check_cluster(world, project, location, body, request.token.principal)
    if (location, body["name"]) in project.clusters:
        raise Problem(409, f"Already exists: projects/{project.name}/zones/{location}/clusters/{body['name']}.",
                      reason="alreadyExists", details=[detail("RequestInfo", requestId=f"0x{world.unique():x}")])
    check_room(world, project)
    cluster = Cluster(world, project, location, body)
    machines.check_quota(project, location, *cluster.needs(cluster.body["nodePools"]))
    project.clusters[cluster.key] = cluster
    leftovers.make_cluster(world, cluster)
    op = Operation(world, project, location, "CREATE_CLUSTER", f"clusters/{cluster.name}", cluster.name)
    cluster.operation = op.name
    op.run([(world.config["endpointAt"], lambda _when: cluster.publish_endpoint())],
           lambda when: created(world, cluster, op, when), lambda when: create_failed(world, cluster, op, when),
           cluster.backend.ready)
    return Reply(200, op.body(request.base))


def created(world, cluster, op, when):
    if cluster.backend.failure:
        op.failure = {"error": {"code": 13, "message": cluster.backend.failure}}
        create_failed(world, cluster, op, when)
        return
    cluster.publish_endpoint()
    for pool in cluster.body["nodePools"]:
        pool["status"] = "RUNNING"
    leftovers.nodes_running(cluster)
    cluster.body["status"] = "RECONCILING"      # usable; the control plane is being resized

    def rest(_when):
        if cluster.status == "RECONCILING" and cluster.operation == op.name:
            cluster.body["status"] = "RUNNING"

    world.events.at(when + world.duration("RECONCILE"), rest)


def create_failed(world, cluster, op, when):
    """It stays, unusable, with the cause in its conditions; what exists of it goes on using quota."""
    cluster.body["status"] = "ERROR"
    text = op.failure.get("statusMessage") or (op.failure.get("error") or {}).get("message", "")
    conditions = op.failure.get("clusterConditions")
    if conditions:
        cluster.body["conditions"] = copy.deepcopy(conditions)
    if text:
        cluster.body["statusMessage"] = text
    for pool in cluster.body["nodePools"]:
        pool["status"] = "ERROR"
        if any(c.get("code") == "GCE_STOCKOUT" for c in conditions or []):
            leftovers.scale(world, cluster, pool, 0)
    if op.plan.get("removeAfter") is not None:
        world.events.at(when + float(op.plan["removeAfter"]), lambda _when: remove(world, cluster))


def remove(world, cluster):
    leftovers.remove_cluster(world, cluster)
    if cluster.project.clusters.get(cluster.key) is cluster:
        del cluster.project.clusters[cluster.key]
    cluster.backend.deleted()


@route("GET", CLUSTER, "container", "container.clusters.get")
def get(world, request):
    return Reply(200, find(world, request)[1].shown(request.base))


@route("GET", AT + "/clusters", "container", "container.clusters.list")
def list_clusters(world, request):
    project, location = scope(world, request, any_location=True)
    found = [c.shown(request.base) for k, c in sorted(project.clusters.items()) if location in ("-", k[0])]
    body = {"clusters": found} if found else {}
    missing = [z for z in world.config["unreachable"] if location in ("-", z)]
    return Reply(200, body | ({"missingZones": missing} if missing else {}))


@route("DELETE", CLUSTER, "container", "container.clusters.delete", write=True)
def delete(world, request):
    project, cluster = find(world, request)
    idle(world, project, cluster)
    before = cluster.status
    op = Operation(world, project, cluster.location, "DELETE_CLUSTER", f"clusters/{cluster.name}", cluster.name)
    cluster.operation, cluster.body["status"] = op.name, "STOPPING"

    def failed(_when):
        cluster.body["status"] = "ERROR" if before == "ERROR" else "RUNNING"

    op.run([(0.7, lambda _when: leftovers.remove_nodes(world, cluster))], lambda _when: remove(world, cluster), failed)
    return Reply(200, op.body(request.base))


@route("POST", CLUSTER + ":setResourceLabels", "container", "container.clusters.update", write=True)
def set_labels(world, request):
    project, cluster = find(world, request)
    body = parse(world, request, "SetLabelsRequest")
    idle(world, project, cluster)
    usable(cluster)
    labels = body.get("resourceLabels") or {}
    check_labels(labels)
    if body.get("labelFingerprint") != fingerprint(cluster.body.get("resourceLabels") or {}):
        raise Problem(412, "Labels fingerprint either invalid or resource labels have changed", reason="conditionNotMet")

    def apply():
        cluster.body["resourceLabels"] = labels     # the whole map
        if not labels:
            del cluster.body["resourceLabels"]

    return Reply(200, operate(world, cluster, "UPDATE_CLUSTER", apply=apply).body(request.base))


@route("POST", CLUSTER + ":setMaintenancePolicy", "container", "container.clusters.update", write=True)
def set_maintenance(world, request):
    project, cluster = find(world, request)
    policy = parse(world, request, "SetMaintenancePolicyRequest", ("maintenancePolicy",))["maintenancePolicy"]
    idle(world, project, cluster)
    usable(cluster)
    version = cluster.body["maintenancePolicy"].get("resourceVersion")
    if policy.get("resourceVersion", version) != version:
        raise Problem(412, "The maintenance policy has changed.", reason="conditionNotMet")

    def apply():
        cluster.body["maintenancePolicy"] = {**policy, "resourceVersion": f"{world.unique():08x}"}

    return Reply(200, operate(world, cluster, "UPDATE_CLUSTER", apply=apply).body(request.base))


# Which desired* fields only say more about another one.
BESIDE = {"desiredNodePoolId", "desiredImageType", "desiredImage", "desiredImageProject", "etag"}
RENAMED = {"desiredMasterAuthorizedNetworksConfig": "masterAuthorizedNetworksConfig", "desiredDatapathProvider":
           "networkConfig.datapathProvider", "desiredPrivateIpv6GoogleAccess": "networkConfig.privateIpv6GoogleAccess",
           "desiredDnsConfig": "networkConfig.dnsConfig", "desiredClusterAutoscaling": "autoscaling",
           "desiredStackType": "ipAllocationPolicy.stackType", "desiredDefaultEnablePrivateNodes":
           "networkConfig.defaultEnablePrivateNodes"}


@route("PUT", CLUSTER, "container", "container.clusters.update", write=True)
def update(world, request):
    project, cluster = find(world, request)
    wanted = parse(world, request, "UpdateClusterRequest", ("update",))["update"]
    idle(world, project, cluster)
    usable(cluster)
    aspects = sorted(set(wanted) - BESIDE)
    if len(aspects) != 1:
        raise invalid(f"Must specify exactly one update, got {len(aspects)}: {', '.join(aspects)}.", "update")
    aspect = aspects[0]
    kind, apply, pool = aspect_of(world, cluster, aspect, wanted)
    return Reply(200, operate(world, cluster, kind, pool, apply).body(request.base))


def aspect_of(world, cluster, aspect, wanted):
    """(kind of operation, what it does at its end, pool)"""
    value, body, channel = wanted[aspect], cluster.body, cluster.body["releaseChannel"]["channel"]
    chosen = [p for p in body["nodePools"] if wanted.get("desiredNodePoolId", p["name"]) == p["name"]]
    if not chosen:
        cluster.find_pool(wanted["desiredNodePoolId"])
    if aspect == "desiredMasterVersion":
        version = version_of(value, channel, MASTERS)
        if version < body["currentMasterVersion"] and version.split(".")[1] != body["currentMasterVersion"].split(".")[1]:
            raise invalid(f"Master cannot be downgraded from {body['currentMasterVersion']} to {version}.", aspect)
        return "UPGRADE_MASTER", lambda: body.update(currentMasterVersion=version), ""
    if aspect == "desiredNodeVersion":
        version = body["currentMasterVersion"] if value == "-" else version_of(value, channel, NODES)

        def upgrade():
            for pool in chosen:
                pool["version"] = version
            body["currentNodeVersion"] = min(p["version"] for p in body["nodePools"])

        return "UPGRADE_NODES", upgrade, wanted.get("desiredNodePoolId", "")
    if aspect == "desiredNodePoolAutoscaling":
        check_autoscaling(value)
        return "UPDATE_CLUSTER", lambda: [autoscale(world, cluster, p, value) for p in chosen], chosen[0]["name"]
    if aspect == "desiredLocations":
        return "UPDATE_CLUSTER", lambda: relocate(world, cluster, value), ""

    path = RENAMED.get(aspect, aspect[7:8].lower() + aspect[8:]).split(".")
    if path[0] not in schema.messages()["Cluster"]:
        raise invalid(f"{aspect} is not supported by the stand-in.", aspect)

    def apply():
        node = body
        for piece in path[:-1]:
            node = node.setdefault(piece, {})
        merge(node, {path[-1]: value})

    return "UPDATE_CLUSTER", apply, ""


def relocate(world, cluster, zones):
    cluster.body["locations"] = zones
    for pool in cluster.body["nodePools"]:
        count = pool["x-count"]
        leftovers.scale(world, cluster, pool, 0)
        pool["locations"] = zones
        leftovers.scale(world, cluster, pool, count)


# Node pools

@route("GET", CLUSTER + "/nodePools", "container", "container.clusters.get")
def list_pools(world, request):
    _, cluster = find(world, request)
    pools = [cluster.pool_shown(p, request.base) for p in cluster.body["nodePools"]]
    return Reply(200, {"nodePools": pools} if pools else {})


@route("GET", POOL, "container", "container.clusters.get")
def get_pool(world, request):
    _, cluster = find(world, request)
    return Reply(200, cluster.pool_shown(cluster.find_pool(request.groups["pool"]), request.base))


@route("POST", CLUSTER + "/nodePools", "container", "container.clusters.update", write=True)
def create_pool(world, request):
    project, cluster = find(world, request)
    given = parse(world, request, "CreateNodePoolRequest", ("nodePool",))["nodePool"]
    check_pool(world, project, given, request.token.principal)
    if cluster.autopilot:
        raise invalid("Autopilot clusters do not support mutating node pools.", "node_pool")
    if any(p["name"] == given["name"] for p in cluster.body["nodePools"]):
        raise Problem(409, f"Already exists: projects/{project.name}/zones/{cluster.location}/clusters/{cluster.name}/"
                      f"nodePools/{given['name']}.", reason="alreadyExists")
    idle(world, project, cluster)
    usable(cluster)
    pool = cluster.pool(given)
    machines.check_quota(project, cluster.location, *cluster.needs([pool]))
    cluster.body["nodePools"].append(pool)
    leftovers.scale(world, cluster, pool, pool["x-count"])

    def running():
        pool["status"] = "RUNNING"
        leftovers.nodes_running(cluster)

    def failed(op):
        pool["status"] = "ERROR"
        pool["conditions"] = op.failure.get("nodepoolConditions") or op.failure.get("clusterConditions") or []

    return Reply(200, operate(world, cluster, "CREATE_NODE_POOL", pool["name"], running, undo=failed).body(request.base))


@route("DELETE", POOL, "container", "container.clusters.update", write=True)
def delete_pool(world, request):
    project, cluster = find(world, request)
    pool = cluster.find_pool(request.groups["pool"])
    idle(world, project, cluster)
    usable(cluster)
    pool["status"] = "STOPPING"

    def gone():
        leftovers.scale(world, cluster, pool, 0)
        leftovers.remove_groups(cluster, pool)
        cluster.body["nodePools"].remove(pool)

    return Reply(200, operate(world, cluster, "DELETE_NODE_POOL", pool["name"], gone,
                              undo=lambda _op: pool.update(status="RUNNING")).body(request.base))


def on_pool(world, request, message, kind, change, check=None):
    """The shape of every change of a pool: find, parse, refuse while busy, operate."""
    project, cluster = find(world, request)
    pool = cluster.find_pool(request.groups["pool"])
    body = parse(world, request, message)
    if cluster.autopilot:
        raise invalid("Autopilot clusters do not support mutating node pools.", "node_pool")
    idle(world, project, cluster)
    usable(cluster)
    if check:
        check(cluster, pool, body)
    pool["status"] = "RECONCILING"

    def apply():
        pool["status"] = "RUNNING"
        change(cluster, pool, body)

    return Reply(200, operate(world, cluster, kind, pool["name"], apply,
                              undo=lambda _op: pool.update(status="RUNNING_WITH_ERROR")).body(request.base))


@route("POST", POOL + ":setSize", "container", "container.clusters.update", write=True)
def set_size(world, request):
    def check(cluster, pool, body):
        more = int(body.get("nodeCount") or 0) - pool["x-count"]
        if more > 0:
            machines.check_quota(cluster.project, cluster.location, *cluster.needs([{**pool, "x-count": more}]))

    def change(cluster, pool, body):
        pool["initialNodeCount"] = int(body.get("nodeCount") or 0)
        leftovers.scale(world, cluster, pool, pool["initialNodeCount"])

    return on_pool(world, request, "SetNodePoolSizeRequest", "SET_NODE_POOL_SIZE", change, check)


def autoscale(world, cluster, pool, scaling):
    pool["autoscaling"] = scaling
    if not scaling or not scaling.get("enabled"):
        pool.pop("autoscaling")
        return
    zones = len(pool["locations"])
    low = int(scaling.get("minNodeCount") or -(-int(scaling.get("totalMinNodeCount") or 0) // zones))
    high = int(scaling.get("maxNodeCount") or int(scaling.get("totalMaxNodeCount") or 0) // zones or 1)
    leftovers.scale(world, cluster, pool, min(max(pool["x-count"], low), high))


@route("POST", POOL + ":setAutoscaling", "container", "container.clusters.update", write=True)
def set_autoscaling(world, request):
    return on_pool(world, request, "SetNodePoolAutoscalingRequest", "UPDATE_CLUSTER",
                   lambda cluster, pool, body: autoscale(world, cluster, pool, body.get("autoscaling")),
                   lambda _cluster, _pool, body: check_autoscaling(body.get("autoscaling")))


@route("POST", POOL + ":setManagement", "container", "container.clusters.update", write=True)
def set_management(world, request):
    return on_pool(world, request, "SetNodePoolManagementRequest", "SET_NODE_POOL_MANAGEMENT",
                   lambda _cluster, pool, body: pool.update(management=body.get("management") or {}))


POOL_FIELDS = {"locations", "upgradeSettings"}
IN_CONFIG = {"imageType", "workloadMetadataConfig", "machineType", "diskType", "diskSizeGb", "spot", "kubeletConfig",
             "linuxNodeConfig", "gvnic", "loggingConfig", "resourceManagerTags"}


@route("PUT", POOL, "container", "container.clusters.update", write=True)
def update_pool(world, request):
    def check(_cluster, _pool, body):
        if body.get("machineType") and machines.machine(body["machineType"]) is None:
            raise invalid(f"Machine type with name \"{body['machineType']}\" does not exist.", "machine_type")

    def change(cluster, pool, body):
        config = pool["config"]
        if body.get("nodeVersion"):
            pool["version"] = version_of(body["nodeVersion"], cluster.body["releaseChannel"]["channel"], NODES)
        for field in POOL_FIELDS & set(body):
            pool[field] = body[field]
        for field in IN_CONFIG & set(body):
            config[field] = body[field]
        for field, inner in (("labels", "labels"), ("resourceLabels", "labels"), ("taints", "taints"),
                             ("tags", "tags")):
            if field in body:
                config[field] = body[field].get(inner, {} if inner == "labels" else [])

    kind = "UPGRADE_NODES" if request.json.get("nodeVersion") else "UPDATE_CLUSTER"
    return on_pool(world, request, "UpdateNodePoolRequest", kind, change, check)


# Operations and versions

def find_operation(world, request):
    project, location = scope(world, request)
    op = project.operations.get(request.groups["operation"])
    if op is not None and op.hidden > 0:
        op.hidden -= 1
        op = None
    if op is None or op.location != location:
        raise Problem(404, f"Not found: projects/{project.name}/zones/{location}/operations/"
                      f"{request.groups['operation']}.", reason="notFound")
    return op


@route("GET", AT + r"/operations/(?P<operation>operation-[^/:]+)", "container", "container.operations.get")
def get_operation(world, request):
    return Reply(200, find_operation(world, request).body(request.base))


@route("POST", AT + r"/operations/(?P<operation>operation-[^/:]+):cancel", "container", "container.operations.get",
       write=True)
def cancel_operation(world, request):
    parse(world, request, "CancelOperationRequest")
    find_operation(world, request).cancel()
    return Reply(200, {})


@route("GET", AT + "/operations", "container", "container.operations.list")
def list_operations(world, request):
    project, location = scope(world, request, any_location=True)
    found = [op.body(request.base) for op in project.operations.values() if location in ("-", op.location)]
    return Reply(200, {"operations": found} if found else {})


@route("GET", AT + "/server[Cc]onfig", "container", "container.clusters.list")
def server_config(world, request):
    scope(world, request)
    return Reply(200, {
        "defaultClusterVersion": VERSIONS["REGULAR"][0], "validMasterVersions": MASTERS, "validNodeVersions": NODES,
        "defaultImageType": IMAGES[0], "validImageTypes": IMAGES,
        "channels": [{"channel": c, "defaultVersion": v[0], "validVersions": v, "upgradeTargetVersion": v[0]}
                     for c, v in VERSIONS.items()]})

