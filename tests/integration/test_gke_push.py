"""gke/push: a whole image into a real registry, with and without a password."""

import ctypes
import hashlib
import io
import json
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.request
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
LIBS = ["libcurl", "openssl", "jansson", "yaml-0.1"]
LAYER = b"layer " * 200_000
MANIFEST = "application/vnd.oci.image.manifest.v1+json"

pytestmark = pytest.mark.skipif(not shutil.which("docker-registry"), reason="docker-registry is not installed")


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module", name="program")
def _program(tmp_path_factory):
    out = tmp_path_factory.mktemp("probe") / "gke_probe"
    archives = [f"build/debug/lib{name}.a" for name in ("gke", "base")]
    subprocess.run(["make", "--no-print-directory", *archives], cwd=TOP, check=True, stdout=subprocess.DEVNULL)
    flags = subprocess.run(["pkg-config", "--libs", *LIBS], check=True, capture_output=True, text=True).stdout.split()
    subprocess.run(["gcc", "-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "-I.",
                    "-D_GNU_SOURCE", "-o", out, "tests/integration/gke_probe.c", *archives, *flags], cwd=TOP, check=True)
    return out


@pytest.fixture(scope="module", name="archive")
def _archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "image.tar"
    config = b'{"architecture":"amd64","os":"linux"}'
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {
        "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config), "size": len(config)}, "layers": [
            {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(LAYER), "size": len(LAYER)}]}).encode()
    index = json.dumps({"manifests": [{"mediaType": MANIFEST, "digest": digest(manifest), "size": len(manifest)}]}).encode()
    with tarfile.open(path, "w:") as tar:
        for name, data in [(f"blobs/sha256/{digest(d)[7:]}", d) for d in (LAYER, config, manifest)] + [("index.json", index)]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path, manifest


def bcrypt(password):
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    return crypt(password.encode(), b"$2y$05$abcdefghijklmnopqrstuu").decode()


@pytest.fixture(name="registry", params=["open", "password"])
def _registry(request, tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    (tmp_path / "users").write_text(f"me:{bcrypt('pass-word')}\n")
    config = {"version": 0.1, "storage": {"filesystem": {"rootdirectory": str(tmp_path / "data")}},
              "http": {"addr": f"127.0.0.1:{port}"}, "log": {"level": "error"}}
    if request.param == "password":
        config["auth"] = {"htpasswd": {"realm": "registry", "path": str(tmp_path / "users")}}
    (tmp_path / "config.yml").write_text(json.dumps(config))
    with open(tmp_path / "log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(tmp_path / "config.yml")], stdout=log, stderr=log)
    try:
        for _ in range(200):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"127.0.0.1:{port}", request.param == "password"
    finally:
        process.terminate()
        process.wait(20)


def push(program, *argv, rc=0, **env):
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "GOOGLE_OAUTH_ACCESS_TOKEN": "unused-token", **env}
    done = subprocess.run([program, "push", *argv], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == rc, done.stdout + done.stderr
    assert "pass-word" not in done.stdout + done.stderr
    return done.stdout


def test_an_image_arrives_whole_is_not_sent_twice_and_is_mounted_next_door(program, archive, registry):
    host, password = registry
    path, manifest = archive
    env = {"PUSH_USER": "me", "PUSH_PASSWORD": "pass-word"} if password else {}
    assert push(program, host, path, "team/operator", "v1", **env) == \
        f"sent {len(LAYER)}\nsent 37\nsent {len(manifest)}\nimage pushed\n"
    assert push(program, host, path, "team/operator", "v1", **env) == "image there\n"
    assert push(program, host, path, "team/operator", "v2", **env) == \
        f"there {len(LAYER)}\nthere 37\nsent {len(manifest)}\nimage pushed\n"
    assert push(program, host, path, "other/operator", "v1", "team/operator", **env) == \
        f"mounted {len(LAYER)}\nmounted 37\nsent {len(manifest)}\nimage pushed\n"
    if not password:
        request = urllib.request.Request(f"http://{host}/v2/other/operator/manifests/v1", headers={"Accept": MANIFEST})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as got:
            assert got.read() == manifest


@pytest.mark.parametrize("registry", ["password"], indirect=True)
def test_without_the_right_password_it_is_said(program, archive, registry):
    host, _ = registry
    assert "wants credentials" in push(program, host, archive[0], "a/b", "v1", rc=1)
    text = push(program, host, archive[0], "a/b", "v1", rc=1, PUSH_USER="me", PUSH_PASSWORD="wrong-word")
    assert "error denied" in text and "wrong-word" not in text


def test_a_changed_archive_is_noticed(program, archive, registry, tmp_path):
    host, password = registry
    env = {"PUSH_USER": "me", "PUSH_PASSWORD": "pass-word"} if password else {}
    data = bytearray(archive[0].read_bytes())
    data[600] ^= 1
    (tmp_path / "bad.tar").write_bytes(data)
    assert "DIGEST_INVALID" in push(program, host, tmp_path / "bad.tar", "team/bad", "v1", rc=1, **env)
