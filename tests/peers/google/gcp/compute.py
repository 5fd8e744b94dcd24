"""compute v1: a generic engine for its resources, quotas, operations with wait, aggregated lists."""

import json
import re
import uuid

from . import leftovers, machines
from .core import Later, Problem, Reply, Routes, compute_stamp, fingerprint
from .leftovers import put
from .world import REGIONS, is_zone, matches, public, short

route = Routes()
ROOT = r"/compute/v1/projects/(?P<project>[^/]+)"
SCOPE = r"/(?P<scope>global|zones/[^/]+|regions/[^/]+)"

# kind: the scopes it exists in. What may be made by a request has `insert`.
SCOPES = {
    "disks": "zones regions", "instances": "zones", "instanceGroups": "zones regions",
    "instanceGroupManagers": "zones regions", "networkEndpointGroups": "zones regions global",
    "forwardingRules": "regions global", "addresses": "regions global", "targetPools": "regions",
    "backendServices": "regions global", "healthChecks": "regions global", "httpHealthChecks": "global",
    "firewalls": "global", "networks": "global", "subnetworks": "regions", "routes": "global", "urlMaps":
    "regions global", "targetHttpProxies": "regions global", "targetHttpsProxies": "regions global",
    "sslCertificates": "regions global", "instanceTemplates": "global", "machineTypes": "zones",
}
# field of another object that keeps one from being deleted
USES = ("target", "backendService", "healthChecks", "backends", "urlMap", "defaultService", "sslCertificates")
NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?\Z")


def shown(value, base):
    """Links are kept without the host by which the client came."""
    return json.loads(json.dumps(public(value)).replace("{base}", base))


def builtin(world, project):
    """Every project has its default network; it is nobody's leftover."""
    if ("networks", "global", "default") not in project.resources:
        put(world, project, "global", "networks", "default", {"autoCreateSubnetworks": True, "x-builtin": True})
        for number, region in enumerate(REGIONS):
            put(world, project, f"regions/{region}", "subnetworks", "default", {
                "network": leftovers.network(project), "ipCidrRange": f"10.{128 + number * 2}.0.0/20", "x-builtin": True})


def known_scope(scope):
    area, _, where = scope.partition("/")
    if area == "zones" and not is_zone(where) or area == "regions" and where not in REGIONS:
        raise Problem(400, f"Invalid value for field '{area[:-1]}': '{where}'. Unknown {area[:-1]}.", reason="invalid")


def context(world, request):
    project, scope, kind = world.project(request.project), request.groups["scope"], request.groups["kind"]
    known_scope(scope)
    builtin(world, project)
    if scope.split("/")[0] not in SCOPES.get(kind, ""):
        raise Problem(404, "Not Found", reason="notFound")
    return project, scope, kind


def find(world, request):
    project, scope, kind = context(world, request)
    resource = project.resources.get((kind, scope, request.groups["name"]))
    if resource is None:
        raise Problem(404, f"The resource 'projects/{project.name}/{scope}/{kind}/{request.groups['name']}' was not "
                      "found", reason="notFound")
    return project, scope, kind, resource


# Operations

class Operation:
    """DONE after a while; with an error it is HTTP 200 all the same."""

    def __init__(self, world, project, request, kind, scope, target, apply):
        self.world, self.project, self.kind, self.scope, self.target = world, project, kind, scope, target
        self.name = f"operation-{int(world.clock.wall() * 1000)}-{uuid.uuid4().hex[:13]}-{world.unique():08x}"
        self.user, self.id, self.begun, self.ended, self.error = request.token.principal, world.number(), \
            world.clock.wall(), None, None
        plan = next((p for p in world.plans if self.planned(p.get("match", {}))), None)
        if plan:
            plan["times"] = plan.get("times", 1) - 1
            if plan["times"] <= 0:
                world.plans.remove(plan)
        plan = dict(plan or {})
        project.compute_operations[self.name] = self

        def finish(when):
            self.ended, self.error = world.clock.wall(when), plan.get("outcome")
            if not self.error:
                apply()

        if not plan.get("stuck"):
            world.events.after(float(plan.get("seconds", world.duration("compute"))), finish)

    def planned(self, match):
        have = {"type": f"compute.{self.kind}", "project": self.project.name, "target": self.target}
        return "type" in match and all(matches(p, have.get(k, "")) for k, p in match.items())

    def body(self, base):
        area, _, where = self.scope.partition("/")
        root = f"{base}/compute/v1/projects/{self.project.name}/{self.scope}"
        out = {"kind": "compute#operation", "id": self.id, "name": self.name, "operationType": self.kind,
               "status": "RUNNING" if self.ended is None else "DONE", "progress": 0 if self.ended is None else 100,
               "targetLink": f"{root}/{self.target}", "user": self.user, "insertTime": compute_stamp(self.begun),
               "startTime": compute_stamp(self.begun), "selfLink": f"{root}/operations/{self.name}"}
        if where:
            out[area[:-1]] = root
        if self.ended is not None:
            out["endTime"] = compute_stamp(self.ended)
        if self.error:
            out |= {"error": {"errors": self.error.get("errors", [self.error])},
                    "httpErrorStatusCode": self.error.get("status", 503), "httpErrorMessage":
                    self.error.get("httpErrorMessage", "SERVICE UNAVAILABLE")}
        return out


def operation(world, request):
    project = world.project(request.project)
    op = project.compute_operations.get(request.groups["operation"])
    if op is None or op.scope != request.groups["scope"]:
        raise Problem(404, f"The resource 'projects/{project.name}/{request.groups['scope']}/operations/"
                      f"{request.groups['operation']}' was not found", reason="notFound")
    return op


OPERATION = ROOT + SCOPE + r"/operations/(?P<operation>[^/]+)"


@route("GET", OPERATION, "compute", "compute.globalOperations.get")
def get_operation(world, request):
    return Reply(200, operation(world, request).body(request.base))


@route("POST", OPERATION + "/wait", "compute", "compute.globalOperations.get")
def wait(world, request):
    op = operation(world, request)
    return Later(lambda late: Reply(200, op.body(request.base)) if op.ended or late else None, world.config["waitSeconds"])


@route("GET", ROOT + SCOPE + "/operations", "compute", "compute.globalOperations.list")
def list_operations(world, request):
    project, scope = world.project(request.project), request.groups["scope"]
    found = [op.body(request.base) for op in project.compute_operations.values() if op.scope == scope]
    return Reply(200, page(request, "operation", found))


# Places

@route("GET", ROOT, "compute", "compute.projects.get")
def get_project(world, request):
    project = world.project(request.project)
    return Reply(200, {
        "kind": "compute#project", "id": project.number, "name": project.name, "xpnProjectStatus":
        "UNSPECIFIED_XPN_PROJECT_STATUS", "creationTimestamp": compute_stamp(1.7e9), "quotas": machines.quotas(project),
        "defaultServiceAccount": f"{project.number}-compute@developer.gserviceaccount.com", "defaultNetworkTier": "PREMIUM",
        "commonInstanceMetadata": {"kind": "compute#metadata", "fingerprint": fingerprint({}), "items": []},
        "selfLink": f"{request.base}/compute/v1/projects/{project.name}"})


def region_body(project, region, base):
    root = f"{base}/compute/v1/projects/{project.name}"
    return {"kind": "compute#region", "id": str(1000 + list(REGIONS).index(region)), "name": region, "description": region,
            "status": "UP", "zones": [f"{root}/zones/{region}-{z}" for z in REGIONS[region]],
            "quotas": machines.quotas(project, region), "selfLink": f"{root}/regions/{region}",
            "creationTimestamp": compute_stamp(0), "supportsPzs": False}


def zone_body(project, zone, base):
    root = f"{base}/compute/v1/projects/{project.name}"
    return {"kind": "compute#zone", "id": str(2000 + ord(zone[-1])), "name": zone, "description": zone, "status": "UP",
            "region": f"{root}/regions/{short(zone)}", "selfLink": f"{root}/zones/{zone}",
            "creationTimestamp": compute_stamp(0)}


@route("GET", ROOT + r"/(?P<area>regions|zones)(?:/(?P<name>[^/]+))?", "compute", "compute.regions.list")
def places(world, request):
    project, area, name = world.project(request.project), request.groups["area"], request.groups["name"]
    make = region_body if area == "regions" else zone_body
    every = list(REGIONS) if area == "regions" else [f"{r}-{z}" for r, zs in REGIONS.items() for z in zs]
    if name is None:
        return Reply(200, page(request, area[:-1], [make(project, n, request.base) for n in every]))
    if name not in every:
        raise Problem(404, f"The resource 'projects/{project.name}/{area}/{name}' was not found", reason="notFound")
    return Reply(200, make(project, name, request.base))


@route("GET", ROOT + r"/zones/(?P<zone>[^/]+)/machineTypes(?:/(?P<name>[^/]+))?", "compute", "compute.machineTypes.get")
def machine_types(world, request):
    project, zone, name = world.project(request.project), request.groups["zone"], request.groups["name"]
    known_scope(f"zones/{zone}")
    if name is None:
        every = [machines.body(project, zone, n, request.base) for n in sorted(machines.types())]
        return Reply(200, page(request, "machineType", every))
    if machines.machine(name) is None:
        raise Problem(404, f"The resource 'projects/{project.name}/zones/{zone}/machineTypes/{name}' was not found",
                      reason="notFound")
    return Reply(200, machines.body(project, zone, name, request.base))


# Lists

def field_of(body, path):
    for piece in path.split("."):
        body = body.get(piece) if isinstance(body, dict) else None
    return "" if body is None else str(body).lower() if isinstance(body, bool) else str(body)


TERM = re.compile(r"""\s*\(?\s*([A-Za-z.][\w./-]*)\s*(!=|=|:|\s(?:eq|ne)\s)\s*("[^"]*"|'[^']*'|[^\s()]+)\s*\)?\s*""")


def chosen(text, body):
    """Terms joined by AND (or by nothing): `=`, `!=`, `:` with a prefix*, and the regular ones `eq`, `ne`."""
    for piece in filter(None, (p.strip() for p in re.split(r"\bAND\b", text or ""))):
        at = 0
        while at < len(piece):
            term = TERM.match(piece, at)
            if not term:
                raise Problem(400, f"Invalid value for field 'filter': '{text}'. Invalid list filter expression.",
                              reason="invalid")
            at = term.end()
            name, sign, value = term[1], term[2].strip(), term[3].strip("\"'")
            have = field_of(body, name)
            if sign in ("eq", "ne"):
                hit = re.fullmatch(value, have) is not None
            elif value.endswith("*"):
                hit = have.startswith(value[:-1]) and (value != "*" or have != "")
            else:
                hit = have == value or sign == ":" and value in have
            if hit == (sign in ("!=", "ne")):
                return False
    return True


def limits(request):
    size = int(request.query.get("maxResults", 500))
    if not 0 < size <= 500:
        raise Problem(400, f"Invalid value for field 'maxResults': '{size}'. Must be between 1 and 500.", reason="invalid")
    token = request.query.get("pageToken", "")
    if token and not token.startswith("page-"):
        raise Problem(400, f"Invalid value for field 'pageToken': '{token}'.", reason="invalid")
    return size, int(token[5:] or 0) if token else 0


def page(request, kind, found):
    found = [b for b in found if chosen(request.query.get("filter"), b)]
    size, start = limits(request)
    out = {"kind": f"compute#{kind}List", "id": request.path.lstrip("/"), "selfLink": request.base + request.path}
    if found[start:start + size]:
        out["items"] = found[start:start + size]
    if start + size < len(found):
        out["nextPageToken"] = f"page-{start + size}"
    return out


@route("GET", ROOT + SCOPE + r"/(?P<kind>[A-Za-z]+)", "compute", "compute.{kind}.list")
def list_kind(world, request):
    project, scope, kind = context(world, request)
    found = [shown(b, request.base) for (k, s, _), b in sorted(project.resources.items(), key=lambda i: i[0])
             if (k, s) == (kind, scope)]
    return Reply(200, page(request, leftovers.KINDS[kind], found))


@route("GET", ROOT + r"/aggregated/(?P<kind>[A-Za-z]+)", "compute", "compute.{kind}.list")
def aggregated(world, request):
    """A map by scope. An empty scope holds only a warning, an unreachable one, too."""
    project, kind = world.project(request.project), request.groups["kind"]
    builtin(world, project)
    if SCOPES.get(kind, "global") == "global":      # what exists only once has no such list
        raise Problem(404, "Not Found", reason="notFound")
    down = [f"zones/{z}" for z in world.config["unreachable"]]
    partial = request.query.get("returnPartialSuccess", "").lower() == "true"
    if down and not partial and "zones" in SCOPES[kind]:
        raise Problem(503, f"The following zones are unreachable: {', '.join(down)}.", reason="backendError")
    found = [(s, shown(b, request.base)) for (k, s, _), b in sorted(project.resources.items(), key=lambda i: i[0])
             if k == kind and s not in down and chosen(request.query.get("filter"), b)]
    size, start = limits(request)
    items = {}
    for scope, body in found[start:start + size]:
        items.setdefault(scope, {}).setdefault(kind, []).append(body)
    everywhere = [f"regions/{r}" for r in REGIONS if "regions" in SCOPES[kind]] + \
        [f"zones/{r}-{z}" for r, zs in REGIONS.items() for z in zs if "zones" in SCOPES[kind]] + \
        (["global"] if "global" in SCOPES[kind] else [])
    if request.query.get("includeAllScopes", "").lower() == "true":
        for scope in everywhere:
            if scope not in items and scope not in down:
                items[scope] = {"warning": {
                    "code": "NO_RESULTS_ON_PAGE", "message": f"There are no results for scope '{scope}' on this page.",
                    "data": [{"key": "scope", "value": scope}]}}
    down = [s for s in down if s in everywhere]
    for scope in down:
        items[scope] = {"warning": {"code": "UNREACHABLE", "message": f"The scope '{scope}' could not be reached.",
                                    "data": [{"key": "scope", "value": scope}]}}
    out = {"kind": f"compute#{leftovers.KINDS.get(kind, kind)}AggregatedList", "id": request.path.lstrip("/"),
           "items": items, "selfLink": request.base + request.path}
    if start + size < len(found):
        out["nextPageToken"] = f"page-{start + size}"
    if down:
        out["unreachables"] = down
    return Reply(200, out)


# Single resources

@route("GET", ROOT + SCOPE + r"/(?P<kind>[A-Za-z]+)/(?P<name>[^/]+)", "compute", "compute.{kind}.get")
def get(world, request):
    return Reply(200, shown(find(world, request)[3], request.base))


@route("GET", ROOT + r"/(?P<scope>zones/[^/]+)/(?P<kind>instances)/(?P<name>[^/]+)/serialPort", "compute",
       "compute.instances.getSerialPortOutput")
def serial_port(world, request):
    resource = find(world, request)[3]
    return Reply(200, {"kind": "compute#serialPortOutput", "contents": "boot ok\n", "start": "0", "next": "8",
                       "selfLink": shown(resource, request.base)["selfLink"] + "/serialPort"})


@route("POST", ROOT + SCOPE + r"/(?P<kind>[A-Za-z]+)", "compute", "compute.{kind}.create", write=True)
def insert(world, request):
    project, scope, kind = context(world, request)
    body, again = dict(request.json), request.query.get("requestId")
    done = project.inserted.get(again) if again else None
    if done is not None:
        return Reply(200, done.body(request.base))
    name = body.pop("name", None) or request.query.get("name", "")
    if not NAME.match(name):
        raise Problem(400, f"Invalid value for field 'resource.name': '{name}'. Must be a match of regex "
                      "'(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'", reason="invalid")
    if (kind, scope, name) in project.resources:
        raise Problem(409, f"The resource 'projects/{project.name}/{scope}/{kind}/{name}' already exists",
                      reason="alreadyExists")
    complete(world, project, scope, kind, name, body)
    resource = put(world, project, scope, kind, name, body)
    op = Operation(world, project, request, "insert", scope, f"{kind}/{name}", lambda: arrived(kind, resource))
    if again:
        project.inserted[again] = op
    return Reply(200, op.body(request.base))


def complete(_world, project, scope, kind, name, body):
    place = f"{{base}}/compute/v1/projects/{project.name}/{scope}"
    if kind == "disks":
        body["sizeGb"] = str(body.get("sizeGb", 500))
        body["type"] = f"{place}/diskTypes/{body.get('type', 'pd-standard').rsplit('/', 1)[-1]}"
        body["status"] = "CREATING"
    elif kind == "instances":
        body["machineType"] = f"{place}/machineTypes/{body.get('machineType', '').rsplit('/', 1)[-1]}"
        if machines.machine(body["machineType"]) is None:
            raise Problem(400, "Invalid value for field 'resource.machineType': unknown machine type.", reason="invalid")
        body["status"] = "PROVISIONING"
        for number, interface in enumerate(body.get("networkInterfaces", [])):
            interface |= {"name": f"nic{number}", "networkIP": "10.128.0.2"}
            for access in interface.get("accessConfigs", []):
                access.setdefault("natIP", "203.0.113.7")
    elif kind == "addresses":
        body |= {"address": body.get("address", "203.0.113.9"), "status": "RESERVED", "addressType":
                 body.get("addressType", "EXTERNAL")}
    elif kind == "forwardingRules":
        body.setdefault("IPAddress", "203.0.113.10")
        body.setdefault("loadBalancingScheme", "EXTERNAL")
    elif kind == "firewalls":
        body.setdefault("direction", "INGRESS")
        body.setdefault("priority", 1000)
        body.setdefault("network", leftovers.network(project))


def arrived(kind, resource):
    if kind == "disks":
        resource["status"] = "READY"
    elif kind == "instances":
        resource["status"] = "RUNNING"


def users_of(project, resource):
    """Who holds it, by any spelling of its link."""
    tail = resource["selfLink"].split("/projects/", 1)[1]
    holders = list(resource.get("users") or []) if resource["kind"] == "compute#disk" else []
    for other in project.resources.values():
        if other is not resource:
            text = json.dumps([other.get(f) for f in USES])
            if f'/{tail}"' in text or f'"{tail}"' in text:
                holders.append(other["selfLink"])
    return holders


@route("DELETE", ROOT + SCOPE + r"/(?P<kind>[A-Za-z]+)/(?P<name>[^/]+)", "compute", "compute.{kind}.delete", write=True)
def delete(world, request):
    project, scope, kind, resource = find(world, request)
    holders = users_of(project, resource)
    if kind == "instances":
        holders = []
    if holders:
        this = resource["selfLink"].split("/v1/", 1)[1]
        raise Problem(400, f"The {leftovers.KINDS[kind]} resource '{this}' is already being used by "
                      f"'{holders[0].split('/v1/', 1)[1]}'", reason="resourceInUseByAnotherResource")

    def apply():
        project.resources.pop((kind, scope, resource["name"]), None)
        if kind == "instances":
            for disk in resource.get("disks", []):
                if disk.get("autoDelete") and disk.get("source"):
                    project.resources.pop(("disks", scope, disk["source"].rsplit("/", 1)[-1]), None)

    op = Operation(world, project, request, "delete", scope, f"{kind}/{resource['name']}", apply)
    return Reply(200, op.body(request.base))


@route("POST", ROOT + SCOPE + r"/(?P<kind>[A-Za-z]+)/(?P<name>[^/]+)/setLabels", "compute", "compute.{kind}.setLabels",
       write=True)
def set_labels(world, request):
    project, scope, kind, resource = find(world, request)
    if request.json.get("labelFingerprint") != resource.get("labelFingerprint"):
        raise Problem(412, "Labels fingerprint either invalid or resource labels have changed", reason="conditionNotMet")
    labels = request.json.get("labels") or {}

    def apply():
        resource["labels"], resource["labelFingerprint"] = labels, fingerprint(labels)

    op = Operation(world, project, request, "setLabels", scope, f"{kind}/{resource['name']}", apply)
    return Reply(200, op.body(request.base))
