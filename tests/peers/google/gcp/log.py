"""The log of requests: one JSON line each, in memory and in a file, and never a secret in it."""

import json
import threading
import time

from .rsa import jwt_parts

SECRET = {"access_token", "accessToken", "token", "subject_token", "assertion", "refresh_token", "client_secret",
          "id_token", "private_key", "password", "actor_token"}
HEADERS = ("Content-Type", "User-Agent", "X-Goog-User-Project", "X-Goog-Api-Client", "X-Goog-Request-Params",
           "X-Allowed-Locations", "Metadata-Flavor", "Accept-Encoding")


def clean(value):
    if isinstance(value, dict):
        return {k: "<secret>" if k in SECRET and isinstance(v, str) else clean(v) for k, v in value.items()}
    return [clean(v) for v in value] if isinstance(value, list) else value


def body_of(request):
    """What was sent. Of an assertion only what it claims: that is worth nothing without the signature."""
    kind = request.headers.get("Content-Type", "")
    if not request.data:
        return None
    if kind.startswith("application/x-www-form-urlencoded"):
        out = clean(request.form)
        try:
            header, claims, signature, _ = jwt_parts(request.form["assertion"])
            out["assertion"] = {"header": header, "claims": claims, "signatureBytes": len(signature)}
        except (KeyError, ValueError):
            pass
        return out
    try:
        return clean(json.loads(request.data))
    except ValueError:
        return {"unreadable": len(request.data)}


class Log:
    def __init__(self, world, path):
        self.entries, self.lock, self.start = [], threading.Lock(), time.time()
        self.file = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
        world.log = self

    def begin(self, request, via):
        """Numbered on arrival; the rest is filled in when it is answered."""
        with self.lock:
            entry = {"n": len(self.entries) + 1, "t": round(request.started - self.start, 6), "method": request.method,
                     "host": request.headers.get("Host", ""), "path": request.path, "query": clean(request.query),
                     "service": request.service, "via": via, "write": False, "status": None}
            self.entries.append(entry)
        return entry

    def end(self, entry, request, code, **more):
        token = request.token
        entry |= {"status": code, "seconds": round(time.time() - request.started, 6), "body": body_of(request),
                  "headers": {k.lower(): request.headers[k] for k in HEADERS if request.headers.get(k)},
                  "principal": token.principal if token else None, "credential": token.kind if token else None, **more}
        with self.lock:
            self.file.write(json.dumps(entry) + "\n")

    def since(self, number=0):
        with self.lock:
            return [dict(e) for e in self.entries if e["n"] > number]

    def clear(self):
        with self.lock:
            self.entries.clear()
