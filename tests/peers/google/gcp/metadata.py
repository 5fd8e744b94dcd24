"""The metadata server: text by default, JSON when asked recursively, only for those who name the flavor."""

import json
import time

from .core import Reply, Routes, b64url

route = Routes()
HEADERS = {"Metadata-Flavor": "Google", "Server": "Metadata Server for VM", "Content-Type": "application/text"}
PAGE = "<!DOCTYPE html>\n<html lang=en>\n<title>Error {0} ({1})!!1</title>\n<p><b>{0}.</b> <ins>That's an error.</ins>\n"


def text(code, body):
    return Reply(code, body, HEADERS)


def error(code, name):
    return Reply(code, PAGE.format(code, name), {**HEADERS, "Content-Type": "text/html; charset=UTF-8"})


def account(world, email, request):
    config = world.config["metadata"]
    scopes = request.query.get("scopes", "").replace(",", " ").split() or config["scopes"]

    def token():
        got = world.auth.give("md", email, scopes)
        return {"access_token": got.value, "expires_in": round(got.expires - time.time()), "token_type": "Bearer"}

    return {"aliases": ["default"], "email": email, "scopes": config["scopes"], "token": token,
            "identity": lambda: world.auth.id_token(email, request.query.get("audience", "none"))}


def tree(world, request):
    config = world.config["metadata"]
    project = world.projects[config["project"]]
    email, zone = config["email"], f"projects/{project.number}/zones/{config['zone']}"
    accounts = {name: account(world, email, request) for name in ("default", email)}
    return {
        "instance": {"id": 4520031799277581759, "name": "vm-1", "zone": zone, "hostname": "vm-1.internal",
                     "attributes": config.get("attributes", {}), "service-accounts": accounts if email else {}},
        "project": {"project-id": project.name, "numeric-project-id": int(project.number), "attributes": {}},
        "universe": {"universe-domain": config["universe"]} if config.get("universe") else {}}


def names(node):
    """A folder's entries, one a line; folders end in a slash."""
    return "".join(f"{k}{'/' if isinstance(v, dict) else ''}\n" for k, v in node.items())


def plain(node):
    """What recursion shows: everything but what has to be made for the asking."""
    if isinstance(node, dict):
        return {camel(k): plain(v) for k, v in node.items() if not callable(v)}
    return node


def camel(name):
    if "@" in name:
        return name
    head, *tail = name.split("-")
    return head + "".join(t.capitalize() for t in tail)


@route("GET", r"/|/computeMetadata", "metadata", auth=False)
def root(world, _request):
    if not world.config.get("metadata"):
        return Reply(404, "not found\n", {"Content-Type": "text/plain"})
    return text(200, "computeMetadata/\n" if _request.path == "/" else "v1/\n")


@route("GET", r"/computeMetadata/v1(?P<rest>/.*)?", "metadata", auth=False)
def get(world, request):
    if not world.config.get("metadata"):
        return Reply(404, "not found\n", {"Content-Type": "text/plain"})
    if request.headers.get("Metadata-Flavor") != "Google" or request.headers.get("X-Forwarded-For"):
        return error(403, "Forbidden")
    node, path = tree(world, request), (request.groups["rest"] or "/")[1:]
    for piece in [p for p in path.split("/") if p]:
        if not isinstance(node, dict) or piece not in node:
            return error(404, "Not Found")
        node = node[piece]
    if callable(node):
        made = node()
        return Reply(200, made, {**HEADERS, "Content-Type": "application/json"}) if isinstance(made, dict) \
            else text(200, made)
    as_json = request.query.get("alt") == "json" or request.query.get("recursive", "").lower() == "true"
    if isinstance(node, dict) and not request.path.endswith("/"):
        return Reply(301, "", {**HEADERS, "Location": f"{request.base}{request.path}/"})
    if as_json:
        return Reply(200, plain(node) if isinstance(node, dict) else node, {
            **HEADERS, "Content-Type": "application/json"})
    if isinstance(node, dict):
        return text(200, names(node))
    return text(200, "\n".join(node) + "\n" if isinstance(node, list) else str(node))


@route("GET", r"/subject-token(?P<kind>\.json|\.txt)?", "subject", auth=False)
def subject_token(world, request):
    """The URL source of a workload identity: a platform that gives its jobs a token, if they bring theirs."""
    if request.headers.get("Authorization", "") != "bearer job-token":
        return Reply(401, {"error": "no job token"})
    claims = {"iss": "https://ci.example", "sub": "repo:o/r:ref:refs/heads/main", "iat": int(time.time()),
              "exp": int(time.time()) + int(world.config.get("subjectLifetime", 300)), "jti": b64url(str(
                  world.unique()).encode())}
    value = unsigned(claims)
    world.auth.secret.add(value)
    return Reply(200, value, {"Content-Type": "text/plain"}) if request.groups["kind"] == ".txt" \
        else Reply(200, {"count": 1, "value": value})


def unsigned(claims):
    """A JWT of somebody else's issuer; STS here does not know that issuer's keys."""
    return ".".join((b64url(b'{"alg":"RS256","typ":"JWT"}'), b64url(json.dumps(claims).encode()), b64url(b"x" * 256)))
