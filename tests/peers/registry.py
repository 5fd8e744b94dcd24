"""For tests: Debian's docker-registry on loopback, images to put into it, and a line to it that breaks.

    with Registry(folder, users={"me": "pass-word"}) as registry:
        run([...], host=registry.host)
        assert registry.requests() == [("HEAD", "/v2/...", 404), ...]
"""

import ctypes
import hashlib
import io
import json
import re
import shutil
import socket
import subprocess
import tarfile
import threading
import time
import urllib.request
from pathlib import Path

INSTALLED = shutil.which("docker-registry") is not None
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = b'{"architecture":"amd64","os":"linux"}'
ACCESS = re.compile(r'"(GET|HEAD|POST|PUT|PATCH|DELETE) (\S+) HTTP/1.1" (\d{3}) ')


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def bcrypt(password):
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    return crypt(password.encode()[:72], b"$2y$05$abcdefghijklmnopqrstuu").decode()


def archive(path, layers, name=None):
    """An OCI image in one tar; returns its manifest's bytes."""
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {
        "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(CONFIG), "size": len(CONFIG)}, "layers": [
            {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(d), "size": len(d)} for d in layers]}).encode()
    row = {"mediaType": MANIFEST, "digest": digest(manifest), "size": len(manifest)}
    if name:
        row["annotations"] = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
    files = [(f"blobs/sha256/{digest(d)[7:]}", d) for d in (*layers, CONFIG, manifest)]
    with tarfile.open(path, "w:") as tar:
        for file, data in files + [("index.json", json.dumps({"manifests": [row]}).encode())]:
            info = tarfile.TarInfo(file)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return manifest


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Registry:
    def __init__(self, folder, users=None):
        self.folder, self.users, self.host = Path(folder), users, f"127.0.0.1:{free_port()}"
        self.folder.mkdir(parents=True, exist_ok=True)
        config = {"version": 0.1, "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}},
                  "http": {"addr": self.host}, "log": {"level": "error"}}
        if users:
            (self.folder / "users").write_text("".join(f"{u}:{bcrypt(p)}\n" for u, p in users.items()))
            config["auth"] = {"htpasswd": {"realm": "registry", "path": str(self.folder / "users")}}
        (self.folder / "config.yml").write_text(json.dumps(config))

    def __enter__(self):
        with open(self.folder / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", str(self.folder / "config.yml")], stdout=log, stderr=log)
        for _ in range(200):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", int(self.host.split(":")[1]))) == 0:
                    break
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)

    def requests(self):
        """(method, path, status) of all that were asked so far."""
        return [(m[1], m[2], int(m[3])) for m in ACCESS.finditer((self.folder / "log").read_text())]

    def manifest(self, repository, tag):
        """As another client would read it; only without users."""
        request = urllib.request.Request(f"http://{self.host}/v2/{repository}/manifests/{tag}", headers={"Accept": MANIFEST})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as got:
            return got.read()

    def tags(self):
        """{repository:tag} of all that is stored."""
        top = self.folder / "data/docker/registry/v2/repositories"
        return {f"{tag.parent.parent.parent.relative_to(top)}:{tag.name}" for tag in top.glob("**/_manifests/tags/*")}


class Broken:
    """A line to a registry that breaks once, after so many bytes from the client."""

    def __init__(self, host, after):
        self.to, self.after, self.breaks = ("127.0.0.1", int(host.split(":")[1])), after, 0
        self.server = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()

    def accept(self):
        while True:
            try:
                near = self.server.accept()[0]
            except OSError:
                return
            far = socket.create_connection(self.to)
            threading.Thread(target=self.copy, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self.copy, args=(far, near, False), daemon=True).start()

    def copy(self, one, other, counted):
        seen = 0
        try:
            while data := one.recv(65536):
                seen += len(data) if counted else 0
                if seen > self.after and not self.breaks:
                    self.breaks += 1
                    break
                other.sendall(data)
        except OSError:
            pass
        for s in (one, other):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
