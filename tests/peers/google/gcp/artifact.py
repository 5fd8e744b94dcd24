"""Artifact Registry: repositories and their long-running operations. Images go to a real registry."""

import re
import uuid

from .core import Problem, Reply, Routes, detail, stamp
from .world import REGIONS

route = Routes()
AT = r"/v1/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)"
REPOSITORY = AT + r"/repositories/(?P<repository>[^/:]+)"
NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?\Z")
FORMATS = {"DOCKER", "MAVEN", "NPM", "PYTHON", "APT", "YUM", "GO", "GENERIC", "KFP"}
TYPE = "type.googleapis.com/google.devtools.artifactregistry.v1."


def scope(world, request):
    project, location = world.project(request.project), request.groups["location"]
    if location not in (*REGIONS, "us", "europe", "asia"):
        raise Problem(400, f"Location \"{location}\" is not supported by Artifact Registry.")
    return project, location


def find(world, request):
    project, location = scope(world, request)
    repository = project.repositories.get((location, request.groups["repository"]))
    if repository is None:
        raise Problem(404, "Requested entity was not found.", details=[
            detail("ResourceInfo", resourceType="artifactregistry.googleapis.com/Repository", resourceName=
                   f"projects/{project.name}/locations/{location}/repositories/{request.groups['repository']}")])
    return project, location, repository


def operate(world, project, location, apply):
    name = f"projects/{project.name}/locations/{location}/operations/{uuid.uuid4()}"
    op = {"name": name, "metadata": {"@type": f"{TYPE}OperationMetadata"}}
    project.repository_operations[name.rsplit("/", 1)[1]] = op

    def finish(_when):
        response = apply()
        op["done"] = True
        op["response"] = {"@type": f"{TYPE}Repository", **response} if response else {
            "@type": "type.googleapis.com/google.protobuf.Empty"}

    world.events.after(world.duration("artifact"), finish)
    return Reply(200, op)


@route("POST", AT + "/repositories", "artifactregistry", "artifactregistry.repositories.create", write=True)
def create(world, request):
    project, location = scope(world, request)
    name, body = request.query.get("repositoryId") or request.query.get("repository_id") or "", request.json
    if not NAME.match(name):
        raise Problem(400, f"Invalid repository ID \"{name}\".")
    if body.get("format") not in FORMATS:
        raise Problem(400, "Repository format is unspecified or unknown.")
    if (location, name) in project.repositories:
        raise Problem(409, "the repository already exists")
    now = stamp(world.clock.wall(), 6)
    host = world.config["registry"] or f"{location}-docker.pkg.dev"
    if body.get("mode", "MODE_UNSPECIFIED") == "MODE_UNSPECIFIED":
        body["mode"] = "STANDARD_REPOSITORY"
    body = {**body,
            "name": f"projects/{project.name}/locations/{location}/repositories/{name}", "createTime": now,
            "updateTime": now, "registryUri": f"{host}/{project.name}/{name}",
            "vulnerabilityScanningConfig": {"enablementState": "SCANNING_DISABLED"}}
    project.repositories[(location, name)] = body
    return operate(world, project, location, lambda: body)


@route("GET", REPOSITORY, "artifactregistry", "artifactregistry.repositories.get")
def get(world, request):
    return Reply(200, find(world, request)[2])


@route("GET", AT + "/repositories", "artifactregistry", "artifactregistry.repositories.list")
def list_repositories(world, request):
    project, location = scope(world, request)
    found = [r for k, r in sorted(project.repositories.items()) if k[0] == location]
    size, start = int(request.query.get("pageSize") or 100), int(request.query.get("pageToken") or 0)
    body = {"repositories": found[start:start + size]} if found[start:start + size] else {}
    return Reply(200, body | ({"nextPageToken": str(start + size)} if start + size < len(found) else {}))


@route("PATCH", REPOSITORY, "artifactregistry", "artifactregistry.repositories.update", write=True)
def update(world, request):
    repository = find(world, request)[2]
    for field in request.query.get("updateMask", "").split(","):
        if field in request.json:
            repository[field] = request.json[field]
    repository["updateTime"] = stamp(world.clock.wall(), 6)
    return Reply(200, repository)


@route("DELETE", REPOSITORY, "artifactregistry", "artifactregistry.repositories.delete", write=True)
def delete(world, request):
    project, location, repository = find(world, request)
    key = (location, repository["name"].rsplit("/", 1)[1])
    return operate(world, project, location, lambda: project.repositories.pop(key, None) and None)


@route("GET", AT + r"/operations/(?P<operation>[0-9a-f]{8}-[0-9a-f-]{27})", "artifactregistry",
       "artifactregistry.repositories.get")
def get_operation(world, request):
    project, _ = scope(world, request)
    op = project.repository_operations.get(request.groups["operation"])
    if op is None:
        raise Problem(404, "Requested entity was not found.")
    return Reply(200, op)
