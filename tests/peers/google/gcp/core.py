"""What every service shares: time, errors in Google's shapes, requests, replies and the route table."""

import base64
import datetime
import functools
import hashlib
import heapq
import itertools
import json
import re
import threading
import time
import urllib.parse

# The names of google.rpc.Code by HTTP status, as the APIs of one platform use them.
STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
          409: "ALREADY_EXISTS", 412: "FAILED_PRECONDITION", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED",
          500: "INTERNAL", 501: "UNIMPLEMENTED", 502: "UNAVAILABLE", 503: "UNAVAILABLE",
          504: "DEADLINE_EXCEEDED"}
REASON = {400: "badRequest", 401: "authError", 403: "forbidden", 404: "notFound", 409: "alreadyExists",
          412: "conditionNotMet", 429: "rateLimitExceeded", 500: "backendError", 503: "backendError"}
TYPE = "type.googleapis.com/google.rpc."


class Problem(Exception):
    """A reply that is an error: google.rpc.Status as JSON, with the old errors[] beside it where asked."""

    def __init__(self, code, message, status=None, details=(), reason=None, headers=None):
        super().__init__(message)
        self.code, self.message, self.headers = code, message, headers or {}
        self.status = status or STATUS.get(code, "UNKNOWN")
        self.details, self.reason = list(details), reason

    def reply(self, old_shape=False):
        error = {"code": self.code, "message": self.message}
        if old_shape or self.reason:
            error["errors"] = [{"message": self.message, "domain": "global",
                                "reason": self.reason or REASON.get(self.code, "invalid")}]
        if not old_shape:
            error["status"] = self.status
        if self.details:
            error["details"] = self.details
        return Reply(self.code, {"error": error}, self.headers)


def detail(kind, **fields):
    return {"@type": TYPE + kind, **fields}


def error_info(reason, domain="googleapis.com", **metadata):
    return detail("ErrorInfo", reason=reason, domain=domain, metadata=metadata)


class OAuthProblem(Exception):
    """RFC 6749's shape, which the token endpoints use."""

    def __init__(self, code, error, description=None, **more):
        super().__init__(error)
        self.code, self.body = code, {"error": error, **more}
        if description:
            self.body["error_description"] = description

    def reply(self, _old_shape=False):
        return Reply(self.code, self.body)


class Reply:
    def __init__(self, code=200, body=None, headers=None):
        self.code, self.headers = code, dict(headers or {})
        if isinstance(body, (dict, list)):
            self.data = (json.dumps(body, indent=2) + "\n").encode()
            self.headers.setdefault("Content-Type", "application/json; charset=UTF-8")
        else:
            self.data = body.encode() if isinstance(body, str) else body or b""
            self.headers.setdefault("Content-Type", "text/html; charset=UTF-8")


class Later:
    """Asked again and again, each time under the lock, until it gives a reply."""

    def __init__(self, ask, seconds):
        self.ask, self.until = ask, time.monotonic() + seconds

    def get(self):
        return self.ask(time.monotonic() >= self.until)


class Request:
    """One request as the handlers see it. `groups` is what the route's pattern caught."""

    def __init__(self, method, target, headers, data, base, peer=""):
        parts = urllib.parse.urlsplit(target)
        self.method, self.headers, self.data, self.base, self.peer = method, headers, data, base, peer
        self.path = urllib.parse.unquote(parts.path)
        self.pairs = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
        self.query = dict(self.pairs)
        self.service = ""           # set by routing
        self.groups = {}
        self.token = None           # set by the check of the bearer token
        self.started = time.time()

    @functools.cached_property
    def json(self):
        if not self.data:
            return {}
        try:
            body = json.loads(self.data)
        except ValueError as e:
            raise Problem(400, f"Invalid JSON payload received. {e}") from e
        if not isinstance(body, dict):
            raise Problem(400, "Invalid JSON payload received. Expected an object.")
        return body

    @functools.cached_property
    def form(self):
        return dict(urllib.parse.parse_qsl(self.data.decode(errors="replace"), keep_blank_values=True))

    def bearer(self):
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        return value.strip() if kind.lower() == "bearer" else None

    @property
    def project(self):
        return self.groups.get("project", "")


class Clock:
    """Operations take virtual seconds; time stamps are those of the wall, so that clients agree with them."""

    def __init__(self, scale=1.0):
        self.lock = threading.Lock()
        self.scale, self.real, self.virtual, self.skew = float(scale), time.monotonic(), 0.0, 0.0

    def now(self):
        with self.lock:
            return self.virtual + (time.monotonic() - self.real) * self.scale

    def change(self, scale=None, advance=0.0, skew=None):
        with self.lock:
            now = time.monotonic()
            self.virtual += (now - self.real) * self.scale + advance
            self.real = now
            self.scale = self.scale if scale is None else float(scale)
            self.skew = self.skew if skew is None else float(skew)

    def wall(self, at=None):
        """The wall's time, or what it was when the virtual clock showed `at`."""
        back = 0.0 if at is None or self.scale <= 0 else (self.now() - at) / self.scale
        return time.time() + self.skew - max(0.0, back)


class Events:
    """What happens at a virtual time; run in order, when somebody looks."""

    def __init__(self, clock):
        self.clock, self.heap, self.count = clock, [], itertools.count()

    def at(self, when, what):
        heapq.heappush(self.heap, (when, next(self.count), what))

    def after(self, seconds, what):
        self.at(self.clock.now() + seconds, what)

    def settle(self):
        while self.heap and self.heap[0][0] <= self.clock.now():
            when, _, what = heapq.heappop(self.heap)
            what(when)


def stamp(wall, digits=9):
    """RFC 3339; container shows nine digits of a second, other services fewer or none."""
    text = datetime.datetime.fromtimestamp(wall, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return text + (f".{int(wall % 1 * 10 ** digits):0{digits}d}" if digits else "") + "Z"


def compute_stamp(wall):
    return datetime.datetime.fromtimestamp(wall, datetime.timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%S.%f")[:-3] + "-00:00"


def fingerprint(value):
    """Of a map; another one whenever the content is another."""
    digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def merge(into, more):
    """Maps deeply, everything else replaced."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
    return into


class Routes:
    """Method and path to a handler. `permission` is checked for a bearer; None means open to anybody."""

    def __init__(self):
        self.rows = []

    def __call__(self, methods, pattern, service, permission=None, write=False, auth=True):
        def add(handler):
            self.rows.append((set(methods.split()), re.compile(f"(?:{pattern})/?\\Z"), service, permission, write,
                              auth, handler))
            return handler
        return add

    def find(self, method, path, service=None):
        """The row and what its pattern caught, or (None, whether another method would have fitted)."""
        other = False
        for row in self.rows:
            if service and row[2] != service:
                continue
            match = row[1].match(path)
            if match and method in row[0]:
                return row, match.groupdict()
            other = other or bool(match)
        return None, other
