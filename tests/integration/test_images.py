"""scripts/images/build: reproducible, readable by every client, small, safe to kill."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
IMAGES = TOP / "scripts" / "images"
LIMIT = 14_000_000

CURL_PROGRAM = r"""
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
static void *leave(void *arg) { pthread_exit(arg); }
int main(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, leave, NULL);
	pthread_join(thread, NULL);
	return puts(curl_version()) < 0;
}
"""


def run(*argv, cache, scripts=IMAGES, env=None, check=True):
    done = subprocess.run(
        [str(scripts / "build"), *map(str, argv)], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PRESTOCTL_CACHE": str(cache), **(env or {})}, check=False)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def needs(command):
    if not shutil.which(command):
        pytest.skip(f"{command} is not installed")


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """Programs under the names of ours: one that needs libcurl and its dozens, one static."""
    folder = tmp_path_factory.mktemp("programs")
    source = folder / "curl.c"
    source.write_text(CURL_PROGRAM, encoding="utf-8")
    subprocess.run(["cc", "-O1", "-o", folder / "presto-operator", source, "-lcurl"], check=True)
    subprocess.run(["cc", "-O1", "-static", "-o", folder / "presto-agent", IMAGES / "pause.c"],
                   check=True)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory, programs):
    """{image: tar} in a cache of their own."""
    cache = tmp_path_factory.mktemp("cache")
    paths = run("--bin-dir", programs, "build", "pause", "presto-operator",
                cache=cache).stdout.split()
    return {"cache": cache, "pause": Path(paths[0]), "presto-operator": Path(paths[1])}


def blob(tar, digest):
    return tar.extractfile("blobs/" + digest.replace(":", "/")).read()


def unpack(path):
    """(manifest, config, {name: member} of all layers together)"""
    members = {}
    with tarfile.open(path) as tar:
        index = json.load(tar.extractfile("index.json"))
        manifest = json.loads(blob(tar, index["manifests"][0]["digest"]))
        config = json.loads(blob(tar, manifest["config"]["digest"]))
        for layer in manifest["layers"]:
            source = tar.extractfile("blobs/" + layer["digest"].replace(":", "/"))
            with tarfile.open(fileobj=source, mode="r:gz") as content:
                members.update({member.name: member for member in content})
    return manifest, config, members


def test_same_inputs_give_the_same_bytes_in_another_folder_and_umask(tmp_path, built, programs):
    elsewhere = tmp_path / "a checkout elsewhere" / "scripts" / "images"
    shutil.copytree(IMAGES, elsewhere, ignore=shutil.ignore_patterns("__pycache__"))
    binaries = tmp_path / "bin"
    shutil.copytree(programs, binaries)
    before = os.umask(0o077)
    try:
        again = run("--bin-dir", binaries, "build", "pause", "presto-operator",
                    cache=tmp_path / "cache", scripts=elsewhere).stdout.splitlines()
    finally:
        os.umask(before)
    for image, path in zip(("pause", "presto-operator"), again):
        assert Path(path).read_bytes() == built[image].read_bytes(), image
        assert Path(path).name == built[image].name


def test_another_time_stamp_or_tag_gives_another_output(built, programs):
    stamped = run("build", "pause", cache=built["cache"], env={"SOURCE_DATE_EPOCH": "86400"})
    assert Path(stamped.stdout.strip()) != built["pause"]
    _, config, members = unpack(stamped.stdout.strip())
    assert config["created"] == "1970-01-02T00:00:00Z"
    assert {member.mtime for member in members.values()} == {86400}
    tagged = run("--tag", "v9", "--bin-dir", programs, "build", "presto-operator",
                 cache=built["cache"]).stdout.strip()
    assert run("--bin-dir", programs, "path", "localhost/presto-operator:v9",
               cache=built["cache"]).stdout.strip() == tagged
    with tarfile.open(tagged) as tar:
        assert json.load(tar.extractfile("manifest.json"))[0]["RepoTags"] == [
            "localhost/presto-operator:v9"]


def test_a_second_build_takes_what_is_there_within_a_second(built, programs):
    stat = built["presto-operator"].stat()
    times = []
    for _ in range(3):  # other tests may be on the processors
        began = time.monotonic()
        done = run("--bin-dir", programs, "build", "presto-operator", cache=built["cache"])
        times.append(time.monotonic() - began)
        assert "up to date" in done.stderr
    assert min(times) < 1.0
    assert built["presto-operator"].stat().st_ino == stat.st_ino


@pytest.mark.parametrize("image", ["pause", "presto-operator"])
def test_both_indexes_name_the_same_blobs_and_every_digest_is_true(built, image):
    with tarfile.open(built[image]) as tar:
        names = {member.name for member in tar if member.isreg()}
        for name in names:
            if name.startswith("blobs/sha256/"):
                data = tar.extractfile(name).read()
                assert hashlib.sha256(data).hexdigest() == name.rpartition("/")[2]
        index = json.load(tar.extractfile("index.json"))
        docker = json.load(tar.extractfile("manifest.json"))
        manifest = json.loads(blob(tar, index["manifests"][0]["digest"]))
        assert json.load(tar.extractfile("oci-layout")) == {"imageLayoutVersion": "1.0.0"}
    assert docker[0]["Config"] == "blobs/" + manifest["config"]["digest"].replace(":", "/")
    assert docker[0]["Layers"] == ["blobs/" + layer["digest"].replace(":", "/")
                                   for layer in manifest["layers"]]
    notes = index["manifests"][0]["annotations"]
    assert docker[0]["RepoTags"] == [notes["io.containerd.image.name"]]
    assert notes["io.containerd.image.name"].endswith(
        ":" + notes["org.opencontainers.image.ref.name"])


@pytest.mark.parametrize("image", ["pause", "presto-operator"])
def test_skopeo_reads_both_formats_and_finds_one_image(built, programs, image):
    needs("skopeo")

    def inspect(transport, *more):
        done = subprocess.run(["skopeo", "inspect", *more, f"{transport}:{built[image]}"],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    config = inspect("oci-archive", "--config")
    assert inspect("docker-archive", "--config") == config
    # A docker archive's layers are known by their uncompressed digests.
    assert inspect("docker-archive")["Layers"] == config["rootfs"]["diff_ids"]
    digest = run("--bin-dir", programs, "digest", image, cache=built["cache"]).stdout.strip()
    assert inspect("oci-archive")["Digest"] == digest


def test_containerd_imports_it_under_its_name_and_runs_it(built):
    needs("containerd")
    if os.geteuid() != 0:
        pytest.skip("containerd needs root")
    with tempfile.TemporaryDirectory(prefix="images-") as home:  # a socket's path is short
        config = Path(home, "config.toml")
        config.write_text(f'version = 2\nroot = "{home}/root"\nstate = "{home}/state"\n'
                          'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                          f'[grpc]\naddress = "{home}/sock"\n', encoding="utf-8")
        with open(Path(home, "log"), "wb") as log, subprocess.Popen(
                ["containerd", "--config", config], stdout=log, stderr=log) as daemon:
            ctr = ["ctr", "-a", f"{home}/sock", "-n", "k8s.io"]
            try:
                wait_for(lambda: subprocess.run(ctr + ["version"], capture_output=True,
                                                check=False).returncode == 0)
                for image in ("pause", "presto-operator"):
                    subprocess.run(ctr + ["images", "import", built[image]], check=True,
                                   capture_output=True)
                names = subprocess.run(ctr + ["images", "ls", "-q"], check=True, text=True,
                                       capture_output=True).stdout.split()
                assert names == ["localhost/pause:1", "localhost/presto-operator:dev"]
                done = subprocess.run(
                    ctr + ["run", "--rm", "--read-only", "localhost/presto-operator:dev", "t"],
                    capture_output=True, text=True, timeout=60, check=False)
                assert done.stdout.startswith("libcurl/"), done.stderr
            finally:
                daemon.send_signal(signal.SIGTERM)
                daemon.wait(20)


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_operator_image_has_no_shell_no_root_user_and_only_what_is_needed(built, programs):
    manifest, config, members = unpack(built["presto-operator"])
    assert sum(layer["size"] for layer in manifest["layers"]) <= LIMIT
    assert config["config"]["User"] == "65532:65532"
    files = {name for name, member in members.items() if not member.isdir()}
    executables = {name for name in files if "/bin/" in name or "/sbin/" in name}
    assert executables == {"usr/bin/presto-operator", "usr/bin/presto-agent"}
    rest = {name for name in files if ".so" not in name} - executables
    assert rest == {"etc/passwd", "etc/group", "etc/nsswitch.conf"}
    linked = subprocess.run(["ldd", programs / "presto-operator"], capture_output=True, text=True,
                            check=True).stdout
    wanted = {word.strip("/") for word in linked.split() if word.startswith("/")}
    extra = {name for name in files if ".so" in name} - {os.path.normpath(w) for w in wanted}
    assert {os.path.basename(name) for name in extra} <= {"libgcc_s.so.1"}
    for name, member in members.items():
        assert (member.uid, member.gid) == (0, 0), name
        assert not member.mode & 0o7022, f"{name} is set-id, sticky or writable by others"


def test_operator_image_of_the_release_binaries_keeps_the_limit(tmp_path):
    if not (TOP / "build/release/presto-operator").exists():
        pytest.skip("make release was not run")
    path = run("build", "presto-operator", cache=tmp_path).stdout.strip()
    manifest, _, members = unpack(path)
    assert sum(layer["size"] for layer in manifest["layers"]) <= LIMIT
    assert "usr/bin/presto-agent" in members


def test_presto_image_is_plain_and_not_root():
    done = subprocess.run([IMAGES / "build", "path", "presto"], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        pytest.skip("localhost/presto:312 is not in the cache")
    _, config, members = unpack(done.stdout.strip())
    assert config["config"]["User"] == "1000:1000"
    env = dict(item.split("=", 1) for item in config["config"]["Env"])
    java = env["JAVA_HOME"].strip("/") + "/bin/java"
    assert members[java].mode == 0o755
    assert os.path.dirname("/" + java) in env["PATH"].split(":")
    home = members["var/lib/presto"]
    assert (home.uid, home.gid, home.mode) == (1000, 1000, 0o755)
    assert members["tmp"].mode == 0o1777
    for jar in ("lib/presto-main-312.jar", "plugin/tpch/presto-tpch-312.jar",
                "plugin/memory/presto-memory-322.jar"):
        assert "usr/lib/presto/" + jar in members
    assert not [name for name in members if "agent" in os.path.basename(name)
                and name.startswith("usr/bin")]


CAUSES = [
    ("[ERROR] one of many\n[ERROR] Could not transfer artifact a:b:1: Unknown host c\n",
     "[ERROR] Could not transfer artifact a:b:1: Unknown host c"),
    ("WARNING: old\nERROR: Could not find a version that satisfies x\nERROR: No matching\n",
     "ERROR: Could not find a version that satisfies x"),
    ("W: slow\nE: Unable to fetch some archives\n", "E: Unable to fetch some archives"),
    ("words without a mark\n", "words without a mark"),
    ("\n", "no output"),
]


@pytest.mark.parametrize("output,expected", CAUSES)
def test_of_a_clients_output_the_line_that_tells_the_cause_is_shown(monkeypatch, output, expected):
    monkeypatch.syspath_prepend(str(IMAGES))
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    import fetch  # pylint: disable=import-outside-toplevel,import-error

    assert fetch.cause(output) == expected


REFUSALS = [
    (["build", "nothing"], {}, "no image 'nothing'; there are: pause, presto-operator, presto"),
    (["path", "localhost/presto:313"], {}, "no image 'localhost/presto:313'"),
    (["path", "pause"], {}, "pause is not built; scripts/images/build build pause"),
    (["--bin-dir", "/nonexistent", "build", "presto-operator"], {},
     "/nonexistent/presto-operator is missing; run make release first"),
    (["--tag", "a b", "build", "presto-operator"], {}, "--tag 'a b' is not an image tag"),
    (["build", "pause"], {"SOURCE_DATE_EPOCH": "yesterday"},
     "SOURCE_DATE_EPOCH is 'yesterday'; give seconds since 1970, or unset it"),
    (["build", "pause"], {"PRESTOCTL_CACHE": "/proc/nowhere"}, "set PRESTOCTL_CACHE"),
]


@pytest.mark.parametrize("argv,env,message", REFUSALS, ids=[row[2][:24] for row in REFUSALS])
def test_a_refusal_is_one_line_with_its_remedy(tmp_path, argv, env, message):
    done = run(*argv, cache=tmp_path, env=env, check=False)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("images: ") and message in last
    assert "Traceback" not in done.stderr


def test_an_operator_image_over_the_limit_is_refused_and_nothing_is_left(tmp_path, programs):
    big = tmp_path / "bin"
    shutil.copytree(programs, big)
    with open(big / "random.c", "w", encoding="ascii") as source:
        source.write('__asm__(".data\\n.incbin \\"random\\"\\n"); int main(void) { return 0; }\n')
    (big / "random").write_bytes(os.urandom(LIMIT + 1))
    subprocess.run(["cc", "-static", "-o", "presto-agent", "random.c"], cwd=big, check=True)
    done = run("--bin-dir", big, "build", "presto-operator", cache=tmp_path / "c", check=False)
    assert done.returncode == 1
    assert "at most 14 are allowed" in done.stderr.splitlines()[-1]
    assert not list((tmp_path / "c" / "images").glob("presto-operator*"))
    assert not list((tmp_path / "c" / "images").glob("part-*"))


def test_killed_at_any_moment_the_next_run_ends_with_the_same_digest(tmp_path, built, programs):
    for delay in (0.1, 0.3, 0.5, 0.8):
        with subprocess.Popen(
                [IMAGES / "build", "--bin-dir", programs, "build", "presto-operator"],
                env={**os.environ, "PRESTOCTL_CACHE": str(tmp_path)}, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL) as child:
            time.sleep(delay)
            child.kill()
        assert not [path for path in (tmp_path / "images").glob("*.tar")
                    if path.read_bytes() != built["presto-operator"].read_bytes()]
    path = Path(run("--bin-dir", programs, "build", "presto-operator",
                    cache=tmp_path).stdout.strip())
    assert path.read_bytes() == built["presto-operator"].read_bytes()
    assert not list((tmp_path / "images").glob("part-*"))


def test_two_builds_at_once_share_one_output(tmp_path, built, programs):
    argv = [IMAGES / "build", "--bin-dir", programs, "build", "presto-operator"]
    env = {**os.environ, "PRESTOCTL_CACHE": str(tmp_path)}
    children = [subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True) for _ in range(2)]
    paths = {child.communicate(timeout=60)[0] for child in children}
    assert [child.returncode for child in children] == [0, 0]
    assert len(paths) == 1
    assert Path(paths.pop().strip()).read_bytes() == built["presto-operator"].read_bytes()


def test_context_holds_the_dockerfile_and_every_folder_it_copies(tmp_path, built, programs):
    for image in ("pause", "presto-operator"):
        folder = tmp_path / image
        run("--bin-dir", programs, "context", image, folder, cache=built["cache"])
        copied = [line.split()[1] for line in (folder / "Dockerfile").read_text().splitlines()
                  if line.startswith("COPY ")]
        assert sorted(path.strip("/") for path in copied) == sorted(
            path.name for path in folder.iterdir() if path.is_dir())
        _, config, _ = unpack(built[image])
        assert f"USER {config['config']['User']}\n" in (folder / "Dockerfile").read_text()
