"""Machine types, and what of a project's quotas the objects in the ledger use."""

import functools
import math

from .core import Problem
from .world import GLOBAL_QUOTAS, QUOTAS, is_zone, short

# family: (memory per CPU in MiB by class, sizes, the quota metric)
FAMILIES = {
    "e2": ({"standard": 4096, "highmem": 8192, "highcpu": 1024}, (2, 4, 8, 16, 32), "CPUS"),
    "n1": ({"standard": 3840, "highmem": 6656, "highcpu": 921}, (1, 2, 4, 8, 16, 32, 64, 96), "CPUS"),
    "n2": ({"standard": 4096, "highmem": 8192, "highcpu": 1024}, (2, 4, 8, 16, 32, 48, 64, 80), "N2_CPUS"),
    "n2d": ({"standard": 4096, "highmem": 8192, "highcpu": 1024}, (2, 4, 8, 16, 32, 48, 64, 80), "N2D_CPUS"),
    "n4": ({"standard": 4096, "highmem": 8192, "highcpu": 2048}, (2, 4, 8, 16, 32, 48, 64, 80), "N4_CPUS"),
    "c2": ({"standard": 4096}, (4, 8, 16, 30, 60), "C2_CPUS"),
    "c3": ({"standard": 4096, "highmem": 8192, "highcpu": 2048}, (4, 8, 22, 44, 88), "C3_CPUS"),
    "t2d": ({"standard": 4096}, (1, 2, 4, 8, 16, 32, 48, 60), "T2D_CPUS"),
}
SHARED = {"e2-micro": (2, 1024), "e2-small": (2, 2048), "e2-medium": (2, 4096), "g1-small": (1, 1740)}
SSD = {"pd-ssd", "pd-balanced"}


@functools.cache
def types():
    """name: (CPUs, memory in MiB, metric)"""
    table = {name: (cpus, memory, "CPUS") for name, (cpus, memory) in SHARED.items()}
    for family, (classes, sizes, metric) in FAMILIES.items():
        for kind, memory in classes.items():
            for size in sizes:
                table[f"{family}-{kind}-{size}"] = (size, size * memory, metric)
    return table


def machine(name):
    """Of a name or a link; custom types are TYPE-custom-CPUS-MEMORY."""
    name = name.rsplit("/", 1)[-1]
    family, custom, rest = name.partition("custom-")
    if custom and rest.replace("-", "").isdigit():
        cpus, memory = (int(v) for v in rest.split("-")[:2])
        return cpus, memory, FAMILIES.get(family.rstrip("-") or "n1", FAMILIES["n1"])[2]
    return types().get(name)


def body(project, zone, name, base):
    cpus, memory, _ = machine(name)
    link = f"{base}/compute/v1/projects/{project.name}/zones/{zone}"
    return {"kind": "compute#machineType", "id": str(1000 + sorted(types()).index(name) if name in types() else 999),
            "name": name, "description": f"{cpus} vCPUs, {memory // 1024} GB RAM", "guestCpus": cpus,
            "memoryMb": memory, "imageSpaceGb": 0, "maximumPersistentDisks": 128,
            "maximumPersistentDisksSizeGb": "263168", "zone": zone, "isSharedCpu": name in SHARED,
            "selfLink": f"{link}/machineTypes/{name}", "creationTimestamp": "1969-12-31T16:00:00.000-08:00"}


def disk_metric(kind):
    return "SSD_TOTAL_GB" if kind.rsplit("/", 1)[-1] in SSD else "DISKS_TOTAL_GB"


def cpu_metric(project, region, name, spot):
    """Spot CPUs count apart only where the project has a quota for them."""
    return "PREEMPTIBLE_CPUS" if spot and project.quota(region, "PREEMPTIBLE_CPUS") > 0 else machine(name)[2]


def add(into, metric, amount):
    into[metric] = into.get(metric, 0.0) + amount


# kind: (metric of its region, metric of the project)
COUNTED = {"forwardingRules": (None, "FORWARDING_RULES"), "targetPools": (None, "TARGET_POOLS"),
           "backendServices": (None, "BACKEND_SERVICES"), "healthChecks": (None, "HEALTH_CHECKS"),
           "httpHealthChecks": (None, "HEALTH_CHECKS"), "firewalls": (None, "FIREWALLS"),
           "networkEndpointGroups": (None, "NETWORK_ENDPOINT_GROUPS"), "urlMaps": (None, "URL_MAPS"),
           "networks": (None, "NETWORKS"), "instanceGroups": ("INSTANCE_GROUPS", None)}


def usage(project, region=None):
    """metric: amount, of a region or (None) of the whole project."""
    used = {}
    for (kind, scope, _), resource in project.resources.items():
        home = short(scope.split("/", 1)[1]) if "/" in scope else None
        if region is not None and home != region:
            continue
        if kind == "instances":
            name, spot = resource["machineType"], resource.get("scheduling", {}).get("provisioningModel") == "SPOT"
            cpus = machine(name)[0]
            if region is None:
                add(used, "CPUS_ALL_REGIONS", cpus)
            else:
                add(used, cpu_metric(project, region, name, spot), cpus)
                add(used, "INSTANCES", 1)
                if any(i.get("accessConfigs") for i in resource.get("networkInterfaces", [])):
                    add(used, "IN_USE_ADDRESSES", 1)
        elif kind == "disks" and region is not None:
            add(used, disk_metric(resource.get("type", "pd-standard")), float(resource["sizeGb"]))
        elif kind == "addresses":
            if (region is None) == (home is None):
                add(used, "STATIC_ADDRESSES", 1)
        elif kind == "forwardingRules" and region is not None and resource.get("loadBalancingScheme") == "EXTERNAL":
            add(used, "IN_USE_ADDRESSES", 1)
        if kind in COUNTED:
            regional, total = COUNTED[kind]
            metric = total if region is None else regional
            if metric:
                add(used, metric, 1)
    return used


def pool_needs(project, region, config, nodes, private):
    """What so many nodes take: (metric of the region: amount)."""
    need, name = {}, config.get("machineType", "e2-medium")
    add(need, cpu_metric(project, region, name, config.get("spot") or config.get("preemptible")),
        machine(name)[0] * nodes)
    add(need, disk_metric(config.get("diskType", "pd-balanced")), float(config.get("diskSizeGb", 100)) * nodes)
    add(need, "INSTANCES", nodes)
    if not private:
        add(need, "IN_USE_ADDRESSES", nodes)
    return need


def check_quota(project, location, needs, cpus):
    """Raises the 403 that is not about rights: which quotas are short, each with its numbers."""
    region, short_of = short(location) if is_zone(location) else location, []
    used, everywhere = usage(project, region), usage(project)
    rows = [("regional", region, m, amount, used.get(m, 0.0)) for m, amount in sorted(needs.items())]
    rows.append(("project", None, "CPUS_ALL_REGIONS", float(cpus), everywhere.get("CPUS_ALL_REGIONS", 0.0)))
    for what, where, metric, amount, taken in rows:
        limit = project.quota(where, metric)
        free = max(0.0, limit - taken)
        if amount > free:
            short_of.append(f"nsufficient {what} quota to satisfy request: resource \"{metric}\": request requires "
                            f"'{amount:.1f}' and is short '{math.ceil(amount - free):.1f}'. project has a quota of "
                            f"'{limit:.1f}' with '{free:.1f}' available. View and manage quotas at "
                            f"https://console.cloud.google.com/iam-admin/quotas?usage=USED&project={project.name}")
    if len(short_of) == 1:
        raise Problem(403, f"I{short_of[0]}.")
    if short_of:
        raise Problem(403, "".join(f"\n\t({n}) i{t}" for n, t in enumerate(short_of, 1)) + ".")


def quotas(project, region=None):
    used = usage(project, region)
    return [{"metric": m, "limit": project.quota(region, m), "usage": used.get(m, 0.0)}
            for m in (QUOTAS if region else GLOBAL_QUOTAS)]
