"""The few requests that bringing a cluster up needs, on the standard library alone."""

import contextlib
import http.client
import json
import ssl
from urllib.parse import urlsplit

from .say import Fail

BODY_MOST = 32 << 20


class Api:
    def __init__(self, server, pki, user="admin"):
        self.at = urlsplit(server)
        self.context = ssl.create_default_context(cafile=pki.path("ca.crt"))
        self.context.load_cert_chain(pki.path(f"{user}.crt"), pki.path(f"{user}.key"))

    def request(self, method, path, body=None, timeout=5, kind="application/json"):
        """(status, decoded body). Status 0 with the reason in words when nobody answers."""
        c = http.client.HTTPSConnection(self.at.hostname, self.at.port, timeout=timeout, context=self.context)
        try:
            c.request(method, path, json.dumps(body) if body is not None else None,
                      {"Content-Type": kind, "User-Agent": "devcluster", "Accept": "application/json"})
            r = c.getresponse()
            data = r.read(BODY_MOST)
        except (OSError, http.client.HTTPException) as e:
            return 0, str(e) or type(e).__name__
        finally:
            c.close()
        with contextlib.suppress(ValueError):
            return r.status, json.loads(data)
        return r.status, data.decode(errors="replace")

    def ready(self, timeout=2):
        """None when the server serves, else what it still lacks."""
        status, body = self.request("GET", "/readyz", timeout=timeout)
        if status == 200:
            return None
        if status == 0:
            return f"the API server does not answer ({body})"
        bad = [x for x in str(body).splitlines() if x.startswith("[-]")]
        return f"the API server is not ready ({bad[0][3:80] if bad else f'status {status}'})"

    def create(self, path, body):
        """Creates an object unless it is there: a second time reads only."""
        name = body["metadata"]["name"]
        status, _ = self.request("GET", f"{path}/{name}")
        if status == 200:
            return
        status, reply = self.request("POST", path, body)
        if status not in (200, 201, 409):
            text = reply.get("message", "") if isinstance(reply, dict) else reply
            raise Fail(f"{body['kind']} {name} cannot be created: {text or status}")

    def items(self, path):
        status, body = self.request("GET", path)
        return body["items"] if status == 200 and isinstance(body, dict) else None


def answers(host, port, path, timeout=1):
    """None when a health page says 200, else what it says."""
    c = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        c.request("GET", path)
        status = c.getresponse().status
    except (OSError, http.client.HTTPException) as e:
        return str(e) or type(e).__name__
    finally:
        c.close()
    return None if status == 200 else f"status {status}"
