"""gke/push: a whole image into a real registry, with and without a password."""

import subprocess
import sys
from pathlib import Path

import pytest

from cprobe import build_probe

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "peers"))

import registry as peer  # noqa: E402  pylint: disable=wrong-import-position

LIBS = ["libcurl", "openssl", "jansson", "yaml-0.1"]
LAYER = b"layer " * 200_000

pytestmark = pytest.mark.skipif(not peer.INSTALLED, reason="docker-registry is not installed")


@pytest.fixture(scope="module", name="program")
def _program(tmp_path_factory):
    return build_probe(tmp_path_factory.mktemp("probe"), "gke_probe", ("gke", "base"), LIBS)


@pytest.fixture(scope="module", name="archive")
def _archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "image.tar"
    return path, peer.archive(path, [LAYER])


@pytest.fixture(name="registry", params=["open", "password"])
def _registry(request, tmp_path):
    with peer.Registry(tmp_path, {"me": "pass-word"} if request.param == "password" else None) as one:
        yield one


def push(program, *argv, rc=0, **env):
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "GOOGLE_OAUTH_ACCESS_TOKEN": "unused-token", **env}
    done = subprocess.run([program, "push", *argv], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == rc, done.stdout + done.stderr
    assert "pass-word" not in done.stdout + done.stderr
    return done.stdout


def test_an_image_arrives_whole_is_not_sent_twice_and_is_mounted_next_door(program, archive, registry):
    host, (path, manifest) = registry.host, archive
    env = {"PUSH_USER": "me", "PUSH_PASSWORD": "pass-word"} if registry.users else {}
    assert push(program, host, path, "team/operator", "v1", **env) == \
        f"sent {len(LAYER)}\nsent 37\nsent {len(manifest)}\nimage pushed\n"
    assert push(program, host, path, "team/operator", "v1", **env) == "image there\n"
    assert push(program, host, path, "team/operator", "v2", **env) == \
        f"there {len(LAYER)}\nthere 37\nsent {len(manifest)}\nimage pushed\n"
    assert push(program, host, path, "other/operator", "v1", "team/operator", **env) == \
        f"mounted {len(LAYER)}\nmounted 37\nsent {len(manifest)}\nimage pushed\n"
    if not registry.users:
        assert registry.manifest("other/operator", "v1") == manifest


@pytest.mark.parametrize("registry", ["password"], indirect=True)
def test_without_the_right_password_it_is_said(program, archive, registry):
    host = registry.host
    assert "wants credentials" in push(program, host, archive[0], "a/b", "v1", rc=1)
    text = push(program, host, archive[0], "a/b", "v1", rc=1, PUSH_USER="me", PUSH_PASSWORD="wrong-word")
    assert "error denied" in text and "wrong-word" not in text


def test_a_changed_archive_is_noticed(program, archive, registry, tmp_path):
    host = registry.host
    env = {"PUSH_USER": "me", "PUSH_PASSWORD": "pass-word"} if registry.users else {}
    data = bytearray(archive[0].read_bytes())
    data[600] ^= 1
    (tmp_path / "bad.tar").write_bytes(data)
    assert "DIGEST_INVALID" in push(program, host, tmp_path / "bad.tar", "team/bad", "v1", rc=1, **env)
