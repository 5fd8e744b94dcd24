"""An API server of a few lines, for tests about what is done with a cluster's objects: lists, single ones, deletes and
merge patches of what it was given, over TLS with the stand-in's certificate. Whatever it does not know is 404."""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SYSTEM = "5f1d2a3b-0000-4000-8000-00000000beef"


class Kube:
    def __init__(self, google):
        self.objects, self.log, self.denied, self.on_delete = {}, [], set(), None
        self.put("/api/v1/namespaces", "kube-system", uid=SYSTEM)
        for kind in ("/api/v1/persistentvolumes", "/api/v1/services", "/apis/networking.k8s.io/v1/ingresses"):
            self.objects.setdefault(kind, {})
        kube = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_one(self):
                length = int(self.headers.get("Content-Length") or 0)
                status, body = kube.answer(self.command, self.path.split("?")[0], self.rfile.read(length))
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_DELETE = do_PATCH = do_POST = handle_one

        state = Path(google.folder) / "state"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(state / "server.pem", state / "server.key")
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        google.configure(backends=[{"endpoint": f"127.0.0.1:{self.server.server_port}", "caFile": str(state / "ca.pem")}])

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def put(self, kind, name, namespace=None, uid=None, annotations=None, **body):
        """kind: the path of the collection over all namespaces."""
        meta = {"name": name, "uid": uid or f"uid-of-{name}", "annotations": annotations or {}}
        if namespace:
            meta["namespace"] = namespace
        self.objects.setdefault(kind, {})[name] = {"metadata": meta, **body}

    def find(self, path):
        """(collection, name or None): namespaces in paths are dropped, names are unique here."""
        parts = path.strip("/").split("/")
        if "namespaces" in parts[:-2]:
            at = parts.index("namespaces")
            parts = parts[:at] + parts[at + 2:]
        whole = "/" + "/".join(parts)
        if whole in self.objects:
            return whole, None
        return whole.rpartition("/")[0], parts[-1]

    def answer(self, method, path, data):
        self.log.append((method, path))
        kind, name = self.find(path)
        have = self.objects.get(kind)
        missing = {"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": "not found"}
        if kind.rpartition("/")[2] in self.denied or method in self.denied:
            return 403, {**missing, "code": 403, "reason": "Forbidden", "message": f"{kind} is forbidden"}
        if have is None or (name is not None and name not in have):
            return 404, missing
        if name is None:
            return 200, {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"},
                         "items": list(have.values())}
        if method == "DELETE":
            if self.on_delete is None or self.on_delete(kind, have[name]):
                have.pop(name)
            return 200, {"kind": "Status", "status": "Success"}
        if method == "PATCH":
            for key, value in json.loads(data)["spec"].items():
                have[name]["spec"][key] = value
        return 200, have[name]
