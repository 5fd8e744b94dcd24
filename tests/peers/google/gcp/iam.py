"""Who may do what, service usage and the resource manager."""

import fnmatch

from .core import Problem, Reply, Routes, detail, error_info, stamp

route = Routes()

# Enough of the predefined roles for what the programs ask; `!` takes away again.
ROLES = {
    "roles/owner": ["*"],
    "roles/editor": ["*", "!*.setIamPolicy", "!container.clusterRoles.*", "!container.clusterRoleBindings.*",
                     "!container.roles.*", "!container.roleBindings.*", "!iam.serviceAccounts.getAccessToken"],
    "roles/viewer": ["*.get", "*.list"],
    "roles/container.admin": ["container.*", "resourcemanager.projects.get"],
    "roles/container.clusterAdmin": ["container.clusters.*", "container.operations.*",
                                     "resourcemanager.projects.get"],
    "roles/container.developer": ["container.*.get", "container.*.list", "container.pods.*",
                                  "container.services.*", "container.deployments.*", "container.configMaps.*",
                                  "container.secrets.*", "resourcemanager.projects.get"],
    "roles/container.viewer": ["container.*.get", "container.*.list", "resourcemanager.projects.get"],
    "roles/compute.admin": ["compute.*", "resourcemanager.projects.get"],
    "roles/compute.viewer": ["compute.*.get", "compute.*.list"],
    "roles/artifactregistry.admin": ["artifactregistry.*"],
    "roles/artifactregistry.writer": ["artifactregistry.repositories.get", "artifactregistry.repositories.list",
                                      "artifactregistry.repositories.uploadArtifacts",
                                      "artifactregistry.repositories.downloadArtifacts"],
    "roles/serviceusage.serviceUsageAdmin": ["serviceusage.*"],
    "roles/serviceusage.serviceUsageConsumer": ["serviceusage.services.use", "serviceusage.services.get",
                                                "serviceusage.services.list"],
    "roles/iam.serviceAccountUser": ["iam.serviceAccounts.actAs", "iam.serviceAccounts.get"],
    "roles/iam.serviceAccountTokenCreator": ["iam.serviceAccounts.getAccessToken"],
}
# Each of these is what a cluster's own administrator needs; who has it is in system:masters there.
CLUSTER_ADMIN = "container.clusterRoles.bind"


def granted(permission, patterns):
    allowed = any(fnmatch.fnmatchcase(permission, p) for p in patterns if not p.startswith("!"))
    return allowed and not any(fnmatch.fnmatchcase(permission, p[1:]) for p in patterns if p.startswith("!"))


def may(project, principal, permission):
    """principal is an e-mail or principal://...; members may carry the usual prefixes."""
    for member, roles in project.iam.items():
        who = member.split(":", 1)[1] if member.split(":", 1)[0] in ("user", "serviceAccount") else member
        if not fnmatch.fnmatchcase(principal, who):
            continue
        # A role that is not in the table stands for itself: a permission, or a pattern of them.
        if any(granted(permission, ROLES.get(role, [role])) for role in roles):
            return True
    return False


def require(world, request, project, permission):
    if permission and not may(project, request.token.principal, permission):
        service = request.service
        text = f"Required \"{permission}\" permission(s) for \"projects/{project.name}\"."
        if service == "compute":
            text = f"Required '{permission}' permission for 'projects/{project.name}'"
        elif service != "container":
            text = f"Permission '{permission}' denied on resource '//{service}.googleapis.com/projects/" \
                   f"{project.name}' (or it may not exist)."
        raise Problem(403, text, reason="forbidden" if service == "compute" else None, details=[
            error_info("IAM_PERMISSION_DENIED", domain="iam.googleapis.com", permission=permission,
                       resource=f"projects/{project.name}")])
    require_quota_project(world, request)


def require_quota_project(world, request):
    name = request.headers.get("X-Goog-User-Project")
    if name and not may(world.project(name), request.token.principal, "serviceusage.services.use"):
        raise Problem(403, "Caller does not have required permission to use project "
                      f"{name}. Grant the caller the roles/serviceusage.serviceUsageConsumer role, or a custom "
                      "role with the serviceusage.services.use permission, by visiting "
                      f"https://console.developers.google.com/iam-admin/iam/project?project={name} and then "
                      "retry. Propagation of the new permission may take a few minutes.",
                      details=[error_info("USER_PROJECT_DENIED", consumer=f"projects/{name}",
                                          service=f"{request.service}.googleapis.com")])


def require_enabled(world, project, service):
    name = f"{service}.googleapis.com"
    ready = project.enabled_at.get(name, 0)
    if project.services.get(name, "DISABLED") == "ENABLED" and world.clock.now() >= ready:
        return
    title = {"container": "Kubernetes Engine API", "compute": "Compute Engine API",
             "artifactregistry": "Artifact Registry API"}.get(service, name)
    url = f"https://console.developers.google.com/apis/api/{name}/overview?project={project.name}"
    raise Problem(403, f"{title} has not been used in project {project.name} before or it is disabled. Enable "
                  f"it by visiting {url} then retry. If you enabled this API recently, wait a few minutes for "
                  "the action to propagate to our systems and retry.",
                  reason="accessNotConfigured" if service == "compute" else None, details=[
                      detail("Help", links=[{"description": "Google developers console API activation",
                                             "url": url}]),
                      error_info("SERVICE_DISABLED", service=name, consumer=f"projects/{project.name}",
                                 containerInfo=project.number)])


def service_body(project, name):
    body = {"name": f"projects/{project.number}/services/{name}", "config": {"name": name},
            "state": project.services.get(name, "DISABLED"), "parent": f"projects/{project.number}"}
    return body


SERVICE = r"/v1/projects/(?P<project>[^/:]+)/services"


@route("GET", SERVICE + r"/(?P<name>[a-z0-9.-]+)", "serviceusage", "serviceusage.services.get")
def get_service(world, request):
    return Reply(200, service_body(world.project(request.project), request.groups["name"]))


@route("GET", SERVICE, "serviceusage", "serviceusage.services.list")
def list_services(world, request):
    project = world.project(request.project)
    wanted = request.query.get("filter", "").removeprefix("state:")
    found = [service_body(project, n) for n, s in sorted(project.services.items()) if wanted in ("", s)]
    return Reply(200, {"services": found} if found else {})


@route("GET", SERVICE + r":batchGet", "serviceusage", "serviceusage.services.get")
def batch_get(world, request):
    project = world.project(request.project)
    names = [v.rsplit("/", 1)[1] for k, v in request.pairs if k == "names" and "/" in v]
    return Reply(200, {"services": [service_body(project, n) for n in names]})


@route("POST", SERVICE + r"/(?P<name>[a-z0-9.-]+):(?P<verb>enable|disable)", "serviceusage",
       "serviceusage.services.enable", write=True)
def enable(world, request):
    project, name = world.project(request.project), request.groups["name"]
    project.services[name] = "ENABLED" if request.groups["verb"] == "enable" else "DISABLED"
    project.enabled_at[name] = world.clock.now() + world.config["enableDelay"]
    return Reply(200, {"name": f"operations/acf.p2-{project.number}-{world.unique():08x}", "done": True,
                       "response": {"@type": "type.googleapis.com/google.api.serviceusage.v1.EnableServiceResponse",
                                    "service": service_body(project, name)}})


@route("POST", SERVICE + r":batchEnable", "serviceusage", "serviceusage.services.enable", write=True)
def batch_enable(world, request):
    project, names = world.project(request.project), request.json.get("serviceIds", [])
    for name in names:
        project.services[name] = "ENABLED"
        project.enabled_at[name] = world.clock.now() + world.config["enableDelay"]
    kind = "type.googleapis.com/google.api.serviceusage.v1.BatchEnableServicesResponse"
    return Reply(200, {"name": f"operations/acf.p2-{project.number}-{world.unique():08x}", "done": True, "response": {
        "@type": kind, "services": [service_body(project, n) for n in names]}})


@route("GET", r"/v1/operations/(?P<name>acf\.[^/]+)", "serviceusage")
def enable_operation(_world, request):
    return Reply(200, {"name": f"operations/{request.groups['name']}", "done": True, "response": {}})


@route("POST", r"/(?P<version>v1|v3)/projects/(?P<project>[^/:]+):testIamPermissions", "cloudresourcemanager")
def test_permissions(world, request):
    project, asked = world.project(request.project), request.json.get("permissions", [])
    has = [p for p in asked if may(project, request.token.principal, p)]
    return Reply(200, {"permissions": has} if has else {})


@route("GET", r"/(?P<version>v1|v3)/projects/(?P<project>[^/:]+)", "cloudresourcemanager",
       "resourcemanager.projects.get")
def get_project(world, request):
    project = world.project(request.project)
    if request.groups["version"] == "v3":
        return Reply(200, {"name": f"projects/{project.number}", "projectId": project.name, "state": "ACTIVE",
                           "displayName": project.name, "createTime": stamp(1.7e9, 6), "etag": "W/\"1\""})
    return Reply(200, {"projectNumber": project.number, "projectId": project.name, "name": project.name,
                       "lifecycleState": "ACTIVE", "createTime": stamp(1.7e9, 6)})
