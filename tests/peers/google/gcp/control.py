"""What tests say to the stand-in: /_control/... on the plain listener, JSON in and out."""

import json

from . import faults, leftovers
from .core import Problem, Reply


def handle(world, request):
    verb = request.path.removeprefix("/_control/").rstrip("/")
    action = ACTIONS.get((request.method, verb))
    if action is None:
        raise Problem(404, f"no {request.method} {verb}: there are " + ", ".join(f"{m} {v}" for m, v in sorted(ACTIONS)))
    try:
        return Reply(200, action(world, request))
    except (KeyError, ValueError, TypeError) as e:
        raise Problem(400, f"{verb}: {type(e).__name__}: {e}") from e


def body_list(request):
    value = json.loads(request.data or b"[]")
    return value if isinstance(value, list) else [value]


def get_requests(world, request):
    return {"requests": world.log.since(int(request.query.get("since", 0)))}


def clock(world, request):
    world.clock.change(**{k: v for k, v in request.json.items() if k in ("scale", "advance", "skew")})
    world.settle()
    return {"now": world.clock.now(), "wall": world.clock.wall(), "scale": world.clock.scale}


def cluster_of(world, spec):
    project = world.project(spec["project"])
    return project, project.clusters[(spec["location"], spec["cluster"])]


def add_workload(world, request):
    spec = request.json
    _, cluster = cluster_of(world, spec)
    cluster.uid = spec.get("uid", cluster.uid)      # of its namespace kube-system
    return {"services": [leftovers.service(world, cluster, s) for s in spec.get("services", [])],
            "volumes": [leftovers.volume(world, cluster, v) for v in spec.get("volumes", [])]}


def remove_workload(world, request):
    """What controllers do while the cluster still lives."""
    spec = request.json
    project = world.project(spec["project"])
    for service in spec.get("services", []):
        leftovers.remove_service(project, service["uid"])
    for volume in spec.get("volumes", []):
        leftovers.remove_volume(project, volume["pv"])
    return {}


def objects(world, request):
    for spec in body_list(request):
        leftovers.put(world, world.project(spec["project"]), spec["scope"], spec["kind"], spec["name"],
                      spec.get("body", {}))
    return {}


def tokens(world, request):
    """Makes a token, as another program would have got it."""
    spec = request.json
    token = world.auth.give(spec.get("kind", "raw"), spec["principal"], spec.get("scopes") or [
        "https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/userinfo.email"],
        spec.get("lifetime"), spec.get("value"))
    return {"access_token": token.value, "expires": token.expires}


def expire(world, request):
    """All tokens, or those of one principal or kind."""
    count = 0
    for token in world.auth.tokens.values():
        if request.json.get("principal", token.principal) == token.principal and \
                request.json.get("kind", token.kind) == token.kind and not token.revoked:
            token.revoked, count = True, count + 1
    return {"expired": count}


def users(world, request):
    """Changes a user: {"refresh_token" or "email", "revoked": true, "rapt": true}."""
    for key, user in world.auth.users.items():
        if request.json.get("refresh_token", key) == key and request.json.get("email", user["email"]) == user["email"]:
            user.update({k: v for k, v in request.json.items() if k in ("revoked", "rapt")})
    return {}


def reset(world, _request):
    """Nothing exists, nothing is scripted, nothing is logged; keys and tokens stay, configuration goes back."""
    world.clear()
    world.clock.change(skew=0)
    world.faults.rules.clear()
    world.log.clear()
    return {}


def remove_project(world, request):
    """Nothing exists in one project any more."""
    name = request.json["project"]
    world.projects[name] = type(world.projects[name])(name, world.config["projects"][name])
    return {}


def set_config(world, request):
    world.reconfigure(request.json)
    return {}


def remove_faults(world, request):
    """All of them, or only those of {"ids": [...]}, whose counters are the answer."""
    wanted = request.json.get("ids") if request.data else [r["id"] for r in world.faults.rules]
    gone = [r for r in world.faults.rules if r["id"] in wanted]
    world.faults.rules[:] = [r for r in world.faults.rules if r["id"] not in wanted]
    return {"faults": faults.dump(gone)}


def add_plans(world, request):
    world.plans.extend(body_list(request))
    return {"plans": len(world.plans)}


ACTIONS = {
    ("GET", "ready"): lambda _w, _r: {"ready": True},
    ("GET", "ledger"): lambda w, _r: w.ledger(),
    ("GET", "requests"): get_requests,
    ("DELETE", "requests"): lambda w, _r: w.log.clear() or {},
    ("GET", "faults"): lambda w, _r: {"faults": faults.dump(w.faults.rules)},
    ("POST", "faults"): lambda w, r: {"ids": w.faults.add(body_list(r))},
    ("DELETE", "faults"): remove_faults,
    ("GET", "plans"): lambda w, _r: {"plans": w.plans},
    ("POST", "plans"): add_plans,
    ("DELETE", "plans"): lambda w, _r: w.plans.clear() or {},
    ("GET", "config"): lambda w, _r: w.config,
    ("PATCH", "config"): set_config,
    ("POST", "config"): set_config,
    ("POST", "clock"): clock,
    ("POST", "workloads"): add_workload,
    ("DELETE", "workloads"): remove_workload,
    ("DELETE", "project"): remove_project,
    ("POST", "objects"): objects,
    ("POST", "tokens"): tokens,
    ("POST", "expire"): expire,
    ("POST", "users"): users,
    ("POST", "reset"): reset,
    # For tests that look whether one of them got out. What is shorter is found in any text.
    ("GET", "secrets"): lambda w, _r: {"secrets": sorted(s for s in w.auth.secret if len(s) >= 8)},
}
