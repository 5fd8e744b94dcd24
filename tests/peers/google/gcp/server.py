"""The listeners: plain HTTP, TLS, and a proxy's CONNECT, which always ends here. Faults happen here, too."""

import contextlib
import gzip
import http.server
import os
import re
import socket
import socketserver
import ssl
import struct
import time
import traceback
import urllib.parse

from . import artifact, auth, compute, container, control, iam, metadata
from .core import Later, OAuthProblem, Problem, Reply, Request
from .faults import kill, reply_of

MODULES = (auth, iam, container, artifact, compute, metadata)
SERVICES = {"container", "serviceusage", "cloudresourcemanager", "iamcredentials", "sts", "oauth2", "artifactregistry"}
# What a proxy may be asked for; everything else is refused and stands in the log.
GOOGLE = re.compile(r"(?:[a-z0-9-]+\.)*(?:googleapis\.com|google\.com|gke\.goog|pkg\.dev|google\.internal)\Z")
MAX_BODY = 32 << 20
IP_FREEBIND = 15        # Linux; Python 3.11 has no name for it


class Dropped(Exception):
    """The connection is gone on purpose."""


def service_of(request):
    """The service that the host or a prefix of the path names: one path can belong to two."""
    host = request.headers.get("Host", "").partition(":")[0]
    if host.endswith(".googleapis.com"):
        name = host.split(".")[0]
        return "compute" if name == "www" and request.path.startswith("/compute/") else \
            name if name in SERVICES | {"compute"} else None
    first = request.path.split("/", 2)[1] if request.path.count("/") > 1 else ""
    if first in SERVICES:
        request.path = request.path[len(first) + 1:]
        return first
    return None


def find_route(request):
    wanted, other = service_of(request), False
    for module in MODULES:
        row, groups = module.route.find(request.method, request.path, wanted)
        if row:
            request.service, request.groups = row[2], groups
            return row
        other = other or groups
    request.service = wanted or ""
    return None if not other else False


def answer(world, request, row):
    """Runs the handler under the lock; an error becomes its reply."""
    old_shape = request.service == "compute"
    try:
        with world.lock:
            world.settle()
            if request.path.startswith("/_control/"):
                return control.handle(world, request)
            if not row:
                raise Problem(404 if row is None else 405, "The requested URL was not found on this server.")
            _, _, _, permission, _, needs_token, handler = row
            if needs_token:
                world.auth.check(request)
                if request.groups.get("project") and request.service not in ("iamcredentials",):
                    project = world.project(request.project)
                    if request.service not in ("serviceusage", "cloudresourcemanager"):
                        iam.require_enabled(world, project, request.service)
                    iam.require(world, request, project, permission and permission.format(**request.groups))
            reply = handler(world, request)
        while isinstance(reply, Later):
            time.sleep(0.02)
            with world.lock:
                world.settle()
                got = reply.get()
            reply = got or reply
        return reply
    except (Problem, OAuthProblem) as e:
        return e.reply(old_shape)
    except Exception:  # a fault of the stand-in itself must be seen as such
        traceback.print_exc()
        return Reply(500, {"error": {"code": 500, "message": "the stand-in failed", "status": "INTERNAL"}})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120
    via = None

    def setup(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.scheme = "http"
        if self.server.tls:
            self.wrap()
        super().setup()

    def wrap(self):
        self.scheme = "https"
        self.request.settimeout(self.timeout)
        self.request = self.server.context.wrap_socket(self.request, server_side=True)

    def handle(self):
        with contextlib.suppress(ConnectionError, TimeoutError, Dropped, ssl.SSLError):
            super().handle()

    def finish(self):
        with contextlib.suppress(OSError, ValueError):
            super().finish()
        with contextlib.suppress(OSError, ValueError):
            self.connection.close()     # of TLS, the server knows only the socket under it

    def log_message(self, *_args):
        pass

    def log_error(self, *_args):
        pass

    def do_CONNECT(self):
        host, _, port = self.path.rpartition(":")
        world, self.via = self.server.world, self.path
        allowed = bool(GOOGLE.match(host))
        request = Request("CONNECT", "/", self.headers, b"", "")
        request.path = self.path
        entry = world.log.begin(request, "proxy")
        world.log.end(entry, request, 200 if allowed else 403)
        if not allowed:
            self.send(Reply(403, f"the stand-in does not go to {self.path}\n"))
            self.close_connection = True
            return
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.close_connection = False
        if port != "80":
            self.wrap()
            super().setup()

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            data = b""
            while size := int(self.rfile.readline(1024).split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline(8)
                if len(data) > MAX_BODY:
                    raise Dropped
            while self.rfile.readline(65536).strip():
                pass
            return data
        size = int(self.headers.get("Content-Length") or 0)
        if size > MAX_BODY:
            raise Dropped
        return self.rfile.read(size)

    def every(self):
        target = self.path
        if target.startswith("http://"):        # by way of a proxy
            parts = urllib.parse.urlsplit(target)
            self.via = parts.netloc
            target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        base = f"{self.scheme}://{self.headers.get('Host') or self.server.address}"
        request = Request(self.command, target, self.headers, self.body(), base, self.client_address[0])
        if request.path.startswith("/_control/"):
            self.send(answer(self.server.world, request, None))
            return
        row = find_route(request)
        entry = self.server.world.log.begin(request, self.via)
        entry["write"] = bool(row and row[4])
        self.serve(request, row, entry)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = every

    def serve(self, request, row, entry):
        world = self.server.world
        with world.lock:
            rule = world.faults.pick(request) or {}
            if rule.get("expireToken") and request.bearer() in world.auth.tokens:
                world.auth.tokens[request.bearer()].revoked = True

        def end(code, effect=False):
            world.log.end(entry, request, code, fault=rule.get("preset") or rule.get("id"), effect=effect)

        if rule.get("delay"):
            time.sleep(float(rule["delay"]))
        if kill(rule, "before") or rule.get("reset") == "before" or rule.get("hang"):
            end(0)
            time.sleep(float(rule.get("hang", 0)))
            self.drop()
        scripted = reply_of(rule)
        if scripted is not None and rule.get("when", "before") == "before":
            end(scripted.code)
            self.send(scripted)
            return
        reply = answer(world, request, row)
        effect = entry["write"] and reply.code < 300
        kill(rule, "after")
        if rule.get("reset") == "after":
            end(0, effect)
            self.drop()
        reply = scripted or reply
        end(reply.code, effect)
        self.send(reply, half=bool(rule.get("half")))

    def drop(self):
        """RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())
        raise Dropped

    def send(self, reply, half=False):
        data, headers = reply.data, reply.headers
        if len(data) > 512 and "gzip" in self.headers.get("Accept-Encoding", "") and self.headers.get(
                "User-Agent", "").startswith(("google-cloud-sdk", "gzip")) and not half:
            data, headers = gzip.compress(data, 1), {**headers, "Content-Encoding": "gzip"}
        self.send_response_only(reply.code)
        self.send_header("Date", self.date_time_string(self.server.world.clock.wall()))
        for name, value in {"Server": "ESF", **headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self._headers_buffer.append(b"\r\n")
        head, self._headers_buffer = b"".join(self._headers_buffer), []
        body = b"" if self.command == "HEAD" else data[:len(data) // 2] if half else data
        self.wfile.write(head + body)
        if half:
            self.close_connection = True
            raise Dropped


class Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, world, host, port, context=None):
        self.world, self.context, self.tls = world, context, context is not None
        super().__init__((host, port), Handler, bind_and_activate=False)
        # An address of a network that will be made later is fine.
        self.socket.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        self.server_bind()
        self.server_activate()
        self.address = f"{host}:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        pass

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.address}"
