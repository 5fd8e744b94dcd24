"""Scripted faults. A rule says which request it is for and what happens to it.

{"match": {"method", "path", "service", "host", "body"}   globs; `body` is searched as text; absent: any
 "nth": 1, "times": 1                          the n-th request that matches, and so many from there (0: all)
 "preset": NAME                                one of PRESETS, under the fields that follow
 "status", "body", "headers", "retryAfter"     answered with that; a text body is sent as HTML
 "when": "before" | "after"                    whether the request has its effect; before is the rule
 "delay": seconds                              of waiting first
 "reset": "before" | "after"                   the connection is reset, without or with the effect
 "half": true                                  the effect, and half of the reply
 "hang": seconds                               no answer for so long, then a reset
 "expireToken": true                           the token of the request is worth nothing any more
 "signal": {"pid" or "pidFile", "signal": "KILL", "when": "before" | "after"}}
"""

import itertools
import json
import os
import signal
import time
from pathlib import Path

from .core import Reply, detail, error_info
from .world import matches


def status(code, message, name, *details):
    return {"status": code, "body": {"error": {"code": code, "message": message, "status": name,
                                               **({"details": list(details)} if details else {})}}}


HTML = "<!DOCTYPE html>\n<html lang=en><title>Error {0}</title>\n<p><b>{0}.</b> The server encountered an error and " \
       "could not complete your request.<p>Please try again in 30 seconds.\n"
PRESETS = {
    "unavailable": status(503, "The service is currently unavailable.", "UNAVAILABLE"),
    "internal": status(500, "Internal error encountered.", "INTERNAL"),
    "bad-gateway": {"status": 502, "body": HTML.format(502)},
    "unavailable-html": {"status": 503, "body": HTML.format(503)},
    "deadline": status(504, "Deadline expired before operation could complete.", "DEADLINE_EXCEEDED"),
    "html-ok": {"status": 200, "body": "<html><body>Please log in to the network.</body></html>\n"},
    "empty-ok": {"status": 200, "body": ""},
    "rate": {**status(429, "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute' of "
                      "service 'container.googleapis.com'.", "RESOURCE_EXHAUSTED",
                      error_info("RATE_LIMIT_EXCEEDED", quota_limit="ReadRequestsPerMinute")), "retryAfter": 2},
    "rate-info": status(429, "Quota exceeded.", "RESOURCE_EXHAUSTED", error_info("RATE_LIMIT_EXCEEDED"),
                        detail("RetryInfo", retryDelay="1.5s")),
    "rate-403": status(403, "Quota exceeded for quota metric 'Write requests' and limit 'Write requests per minute' of "
                       "service 'container.googleapis.com' for consumer 'project_number:123456789'.",
                       "PERMISSION_DENIED"),
    "busy-403": status(403, "Too many operations are running.", "PERMISSION_DENIED",
                       error_info("CONCURRENT_OPERATIONS_QUOTA_EXCEEDED", domain="container.googleapis.com")),
    "busy-429": status(429, "The request hits the concurrent operations quota 5.", "RESOURCE_EXHAUSTED"),
    "incompatible": status(400, "Operation operation-1 is currently creating cluster c. Please wait and try again once "
                           "it is done.", "FAILED_PRECONDITION"),
    "quota": status(403, "Insufficient regional quota to satisfy request: resource \"CPUS\": request requires '9.0' and "
                    "is short '1.0'. project has a quota of '8.0' with '8.0' available. View and manage quotas at "
                    "https://console.cloud.google.com/iam-admin/quotas?usage=USED&project=demo-proj.",
                    "PERMISSION_DENIED"),
    "denied": status(403, "Required \"container.clusters.create\" permission(s) for \"projects/demo-proj\".",
                     "PERMISSION_DENIED", error_info("IAM_PERMISSION_DENIED", domain="iam.googleapis.com",
                                                     permission="container.clusters.create")),
    "unauthenticated": status(401, "Request had invalid authentication credentials.", "UNAUTHENTICATED"),
    "fingerprint": status(412, "Labels fingerprint either invalid or resource labels have changed",
                          "FAILED_PRECONDITION"),
    "no-details": {"status": 400, "body": {"error": {"code": 400, "message": "Bad Request"}}},
    "oauth-server-error": {"status": 500, "body": {"error": "server_error", "error_description": "try again"}},
    "oauth-unavailable": {"status": 503, "body": {"error": "temporarily_unavailable"}},
    "oauth-revoked": {"status": 400, "body": {"error": "invalid_grant",
                                              "error_description": "Token has been expired or revoked."}},
    "oauth-internal": {"status": 200, "body": {"error": "internal_failure"}},
    "reset-before": {"reset": "before"}, "reset-after": {"reset": "after"}, "half": {"half": True},
    "slow": {"delay": 1.0}, "hang": {"hang": 30.0}, "expired-token": {"expireToken": True},
    "lost-reply": {**status(503, "The service is currently unavailable.", "UNAVAILABLE"), "when": "after"},
}


class Faults:
    def __init__(self, world):
        self.rules, self.ids = [], itertools.count(1)
        world.faults = self

    def add(self, rules):
        added = []
        for rule in rules if isinstance(rules, list) else [rules]:
            name = rule.get("preset")
            if name is not None and name not in PRESETS:
                raise ValueError(f"no preset {name}: there are {', '.join(sorted(PRESETS))}")
            rule = {**PRESETS.get(name, {}), **rule, "id": next(self.ids), "seen": 0, "hits": 0}
            self.rules.append(rule)
            added.append(rule["id"])
        return added

    def pick(self, request):
        """Every rule counts; the first that is due happens."""
        due = None
        for rule in self.rules:
            if not self.fits(rule.get("match", {}), request):
                continue
            rule["seen"] += 1
            first, times = rule.get("nth", 1), rule.get("times", 1)
            if due is None and rule["seen"] >= first and (times == 0 or rule["seen"] < first + times):
                rule["hits"] += 1
                due = rule
        return due

    @staticmethod
    def fits(match, request):
        have = {"method": request.method, "path": request.path, "service": request.service,
                "host": request.headers.get("Host", "")}
        if request.service == "webhook" and "service" not in match:
            return False        # of the API server, at its own times: "the fifth request" never means one of these
        if not all(matches(match.get(key), value) for key, value in have.items()):
            return False
        return match.get("body") is None or match["body"] in request.data.decode(errors="replace")


def reply_of(rule):
    if "status" not in rule:
        return None
    body, headers = rule.get("body", ""), dict(rule.get("headers", {}))
    if "retryAfter" in rule:
        headers["Retry-After"] = str(rule["retryAfter"])
    return Reply(rule["status"], body, headers)


def kill(rule, when):
    """The client that is under test dies here; its pid may be written a moment after it has started.

    Killed before, its request has no effect: it died while it was sending.
    """
    wanted = rule.get("signal") or {}
    if not wanted or wanted.get("when", "before") != when:
        return False
    pid, until = wanted.get("pid"), time.monotonic() + 5
    while pid is None and time.monotonic() < until:
        text = Path(wanted["pidFile"]).read_text().strip() if Path(wanted["pidFile"]).exists() else ""
        pid = int(text) if text else None
        if pid is None:
            time.sleep(0.005)
    if pid is not None and int(pid) > 1:
        try:
            os.kill(int(pid), getattr(signal, f"SIG{wanted.get('signal', 'KILL')}"))
        except ProcessLookupError:
            pass
    return True


def dump(rules):
    return json.loads(json.dumps(rules))
