"""Container's operations: they take virtual seconds, carry metrics, and end as a script wants them to.

A plan is a map: {"match": {type, project, location, cluster, pool}, "times": 1, "seconds": N, "outcome":
a preset's name or {error, statusMessage, clusterConditions, nodepoolConditions, detail}, "stuck": true,
"hide": how many polls find nothing, "removeAfter": virtual seconds after which a failed cluster goes away}.
"""

import time

from .core import Problem, detail, error_info, stamp
from .world import is_zone, matches

RUNNING, DONE = ("PENDING", "RUNNING", "ABORTING"), "DONE"
METRICS = (("CLUSTER_CONFIGURING", 8, 8, 0.0, 0.4), ("CLUSTER_DEPLOYING", 12, 12, 0.3, 0.9),
           ("CLUSTER_HEALTHCHECKING", 1, 2, 0.8, 1.0))


def condition(code, canonical, message):
    return {"code": code, "canonicalCode": canonical, "message": message}


def outcome(preset, op):
    """The parts of a failed operation, as they were seen in the wild."""
    project, zone = op.project.name, op.location
    texts = {
        "stockout": f"Google Compute Engine: The zone 'projects/{project}/zones/{zone}' does not have enough "
                    f"resources available to fulfill request: {zone}. Try a different zone, or try again later.",
        "quota": f"Instance 'gke-{op.cluster}-default-pool-1a2b3c4d-x1y2' creation failed: Quota "
                 f"'IN_USE_ADDRESSES' exceeded.  Limit: 8.0 in region {zone.rsplit('-', 1)[0] if is_zone(zone) else zone}.",
        "nodes": "All cluster resources were brought up, but: only 0 nodes out of 3 have registered; this is likely "
                 "due to Nodes failing to start correctly; try re-creating the cluster or contact support if that "
                 "doesn't work.",
        "account": "Service account \"default\" does not exist or is disabled.",
        "internal": "Internal error.",
    }
    text = texts[preset.removesuffix("-error-only").removesuffix("-conditions-only")]
    conditions = {"stockout": [condition("GCE_STOCKOUT", "RESOURCE_EXHAUSTED", text)],
                  "quota": [condition("GCE_QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED", text)],
                  "account": [condition("GKE_SERVICE_ACCOUNT_DELETED", "FAILED_PRECONDITION", text)]}
    code = {"stockout": 8, "quota": 8, "nodes": 13, "account": 9, "internal": 13}
    kind = preset.split("-")[0]
    if preset.endswith("-error-only"):
        return {"error": {"code": code[kind], "message": text}}
    if preset.endswith("-conditions-only"):
        return {"clusterConditions": conditions.get(kind, [condition("UNKNOWN", "INTERNAL", text)])}
    out = {"error": {"code": code[kind], "message": text}, "statusMessage": text, "detail": text}
    if kind in conditions:
        out["clusterConditions"] = conditions[kind]
    if kind == "quota":
        out.pop("statusMessage")
    return out


class Operation:
    def __init__(self, world, project, location, kind, target, cluster="", pool=""):
        self.world, self.project, self.location, self.kind = world, project, location, kind
        self.target, self.cluster, self.pool = target, cluster, pool
        self.name = f"operation-{int(time.time() * 1000)}-{world.unique():08x}"
        self.started, self.wall, self.ended = world.clock.now(), world.clock.wall(), None
        self.status, self.failure = "RUNNING", {}
        plan = next((p for p in world.plans if self.planned(p.get("match", {}))), {})
        if plan:
            plan["times"] = plan.get("times", 1) - 1
            if plan["times"] <= 0:
                world.plans.remove(plan)
        self.plan = dict(plan)
        self.seconds = float(plan.get("seconds", world.duration(kind)))
        self.hidden = int(plan.get("hide", world.config["hideOperations"]))
        project.operations[self.name] = self

    def planned(self, match):
        have = {"type": self.kind, "project": self.project.name, "location": self.location,
                "cluster": self.cluster, "pool": self.pool}
        return all(matches(pattern, have.get(key, "")) for key, pattern in match.items())

    @property
    def running(self):
        return self.status in RUNNING

    def run(self, steps=(), done=None, failed=None, ready=None):
        """Steps happen at fractions of the time. `ready` can hold the end back; a failing one goes to `failed`."""
        events = self.world.events
        for fraction, what in steps:
            events.at(self.started + fraction * self.seconds, lambda when, w=what: self.running and w(when))

        def finish(when):
            if not self.running:
                return
            wanted = self.plan.get("outcome")
            if ready and not ready() and not wanted:
                events.after(0.05 * max(self.world.clock.scale, 0.01), finish)
                return
            self.end(when, outcome(wanted, self) if isinstance(wanted, str) else wanted or {})
            if self.failure and failed:
                failed(when)
            elif not self.failure and done:
                done(when)

        self.on_cancel = failed
        if not self.plan.get("stuck"):
            events.at(self.started + self.seconds, finish)
        return self

    def end(self, when, failure):
        self.status, self.failure, self.ended = DONE, failure, self.world.clock.wall(when)

    def cancel(self):
        if not self.running:
            raise Problem(400, f"Operation {self.name} is already done.", status="FAILED_PRECONDITION")
        self.status = "ABORTING"

        def stop(when):
            self.end(when, {"error": {"code": 1, "message": "Operation was canceled."},
                            "statusMessage": "Operation was canceled."})
            if self.on_cancel:
                self.on_cancel(when)

        self.world.events.after(min(self.seconds * 0.1, 10), stop)

    def metrics(self):
        part = 1.0 if not self.running else min(0.99, (self.world.clock.now() - self.started) / max(self.seconds, 1e-6))
        out = []
        for name, most, total, begins, ends in METRICS:
            done = int(most * min(1.0, max(0.0, (part - begins) / (ends - begins))))
            out += [{"name": name, "intValue": str(done)}, {"name": f"{name}_TOTAL", "intValue": str(total)}]
        return out

    def body(self, base):
        """Links carry the project's number and /zones/, whatever path the operation was made through."""
        root = f"{base}/v1/projects/{self.project.number}/zones/{self.location}"
        out = {"name": self.name, "operationType": self.kind, "status": self.status, "zone": self.location,
               "selfLink": f"{root}/operations/{self.name}", "targetLink": f"{root}/{self.target}",
               "startTime": stamp(self.wall)}
        if self.ended is not None:
            out["endTime"] = stamp(self.ended)
        if self.world.config["progress"] and (self.running or self.kind == "CREATE_CLUSTER"):
            out["progress"] = {"metrics": self.metrics()}
        return out | self.failure


def incompatible(name):
    return Problem(400, f"Cluster is running incompatible operation {name}.", status="FAILED_PRECONDITION",
                   reason="failedPrecondition", details=[
                       detail("RequestInfo", requestId=f"0x{abs(hash(name)) & 0xffffffffffff:x}"),
                       error_info("CLUSTER_ALREADY_HAS_OPERATION", domain="container.googleapis.com")])


def check_room(world, project):
    """The quota of operations that run at once."""
    limit = world.config["concurrentOperations"]
    if limit and sum(op.running for op in project.operations.values()) >= limit:
        raise Problem(429, f"Too many operations are running: this request hits the concurrent operations quota "
                      f"{limit}. Please try again later.", details=[
                          error_info("CONCURRENT_OPERATIONS_QUOTA_EXCEEDED", domain="container.googleapis.com")])
