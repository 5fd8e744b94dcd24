"""What each image is made of.

A recipe has a name, a reference, `inputs()` (all that decides the content, JSON-able;
None while something must be fetched first), `fetch()`, `trees()` (layers, the stable
ones first) and `runtime()` (the OCI config's execution part).
"""

import os
import re
import shutil
import subprocess

import fetch
import pins
from oci import Tree
from report import BuildError, Step

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))


def passwd(tree, name, uid, home="/", shell="/sbin/nologin"):
    tree.data("etc/passwd", f"root:x:0:0:root:/:{shell}\n{name}:x:{uid}:{uid}:{name}:"
              f"{home}:{shell}\n")
    tree.data("etc/group", f"root:x:0:\n{name}:x:{uid}:\n")


class Pause:
    """Holds a pod's namespaces: one static program."""

    name, ref = "pause", pins.PAUSE_REF

    def __init__(self, scratch):
        self.scratch = scratch

    def _compiler(self):
        for command in ("musl-gcc", "cc"):
            if shutil.which(command):
                return command
        raise BuildError("no C compiler is installed", "apt-get install gcc musl-tools")

    def inputs(self):
        compiler = self._compiler()
        version = subprocess.run([compiler, "--version"], capture_output=True, text=True,
                                 check=True).stdout.splitlines()[0]
        return [compiler, version, pins.PAUSE_UID,
                fetch.sha256_file(os.path.join(HERE, "pause.c"))]

    def fetch(self):
        pass

    def trees(self):
        program = os.path.join(self.scratch, "pause")
        done = subprocess.run([self._compiler(), "-std=gnu11", "-Wall", "-Wextra", "-Werror",
                               "-Os", "-s", "-static", "-Wl,--build-id=none", "-o", program,
                               "pause.c"], cwd=HERE, stderr=subprocess.PIPE, text=True,
                              check=False)
        if done.returncode:
            raise BuildError(f"pause.c: {done.stderr.strip().splitlines()[-1]}",
                             "apt-get install gcc musl-tools")
        tree = Tree("pause")
        tree.file("pause", program, 0o755)
        return [tree]

    def runtime(self):
        return {"User": f"{pins.PAUSE_UID}:{pins.PAUSE_UID}", "Entrypoint": ["/pause"],
                "WorkingDir": "/"}


class Operator:
    """Our binaries and exactly the shared libraries that the loader would map."""

    name = "presto-operator"
    programs = ("presto-operator", "presto-agent")

    def __init__(self, scratch, tag, folder):
        self.scratch, self.folder = scratch, folder
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", tag):
            raise BuildError(f"--tag '{tag}' is not an image tag",
                             "letters, digits, '.', '_' and '-', at most 128")
        self.ref = f"{pins.OPERATOR_REPOSITORY}:{tag}"
        self.libraries = None

    def _binaries(self):
        paths = [os.path.join(self.folder, program) for program in self.programs]
        for path in paths:
            if not os.path.exists(path):
                raise BuildError(f"{path} is missing", "run make release first")
        return paths

    def _resolve(self):
        if self.libraries is None:
            self.libraries = {}
            for path in self._binaries():
                self.libraries.update(needed_libraries(path))
        return self.libraries

    def inputs(self):
        content = {path: fetch.sha256_file(source)
                   for path, source in sorted(self._resolve().items())}
        return [self.ref, pins.OPERATOR_UID, content,
                [fetch.sha256_file(path) for path in self._binaries()]]

    def fetch(self):
        pass

    def trees(self):
        base, programs = Tree("libraries"), Tree("programs")
        passwd(base, "nonroot", pins.OPERATOR_UID)
        base.data("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
        for path, source in self._resolve().items():
            base.file(path, source, 0o755)
        fetch.need("strip", "binutils")
        for path in self._binaries():
            stripped = os.path.join(self.scratch, os.path.basename(path))
            subprocess.run(["strip", "-o", stripped, path], check=True)
            programs.file("usr/bin/" + os.path.basename(path), stripped, 0o755)
        return [base, programs]

    def runtime(self):
        return {"User": f"{pins.OPERATOR_UID}:{pins.OPERATOR_UID}", "WorkingDir": "/",
                "Env": ["PATH=/usr/bin"], "Entrypoint": ["/usr/bin/presto-operator"]}


def needed_libraries(path):
    """{path inside: file here} for a program of ours, the loader included; {} when static."""
    fetch.need("ldd", "libc-bin")
    done = subprocess.run(["ldd", path], capture_output=True, text=True, check=False,
                          env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"})
    if "statically linked" in done.stdout or "not a dynamic executable" in done.stderr:
        return {}
    found = {}
    for line in done.stdout.splitlines():
        words = line.split()
        if "not found" in line:
            raise BuildError(f"{path} needs {words[0]}, which is not installed",
                             "install the package it was built with")
        if not words or words[0].startswith("linux-vdso"):
            continue
        place = words[2] if "=>" in words else words[0]
        found[os.path.normpath(place)] = os.path.realpath(place)
    if done.returncode or not found:
        raise BuildError(f"{path}: ldd says {(done.stderr or 'nothing').strip()}",
                         "run make release again")
    # The C library loads this one only when a thread ends early or a backtrace is
    # asked for, and aborts without it.
    for place in [place for place in found if place.endswith("/libc.so.6")]:
        unwinder = os.path.join(os.path.dirname(place), "libgcc_s.so.1")
        if os.path.exists(unwinder):
            found[unwinder] = os.path.realpath(unwinder)
    return found


class Presto:
    """PrestoSQL on Java 11 on the smallest root that runs both, and nothing of ours."""

    name, ref = "presto", pins.PRESTO_REF
    # Of each package only this; iconv tables, manuals and the like stay out.
    wanted = {
        "bash": r"bin/bash$",
        "busybox-static": r"bin/busybox$",
        "libc-bin": r"usr/lib/locale/C\.utf8/.*",
        "libc6": r"lib/[^/]*/(ld-linux-.*|lib(c|m|dl|pthread|rt|util|resolv|nss_dns|nss_files)"
                 r"\.so\.\d+)$",
        "libgcc-s1": r"lib/[^/]*/libgcc_s\.so\.1$",
        "libtinfo6": r"lib/[^/]*/libtinfo\.so\..*",
        "zlib1g": r"lib/[^/]*/libz\.so\..*",
    }
    # Nothing to start, mount or serve in a container of one server.
    no_applets = {"bash", "busybox", "sh", "init", "linuxrc", "login", "sulogin", "getty", "su"}

    def __init__(self, scratch, downloads):
        self.scratch, self.downloads = scratch, downloads
        self.debian = fetch.debian_lock(downloads)

    def inputs(self):
        if not self.debian:
            return None
        return [self.debian, pins.JAVA_WHEEL_SHA256, pins.JAVA_HOME, pins.PRESTO_LIB_SHA256,
                pins.PRESTO_PLUGINS, pins.PRESTO_HOME, pins.PRESTO_UID]

    def fetch(self):
        self.debian = fetch.debian_packages(self.name, self.downloads)

    def trees(self):
        java = fetch.java_runtime(self.name, self.downloads)
        server = fetch.presto_server(self.name, self.downloads)
        with Step(self.name, "unpacking the root"):
            return [self._root(), self._java(java), self._folder("lib", server),
                    self._folder("plugin", server)]

    def _root(self):
        tree = Tree("root")
        for link in ("bin", "lib", "lib64", "sbin"):
            tree.symlink(link, "usr/" + link)
        for package in sorted(self.debian):
            self._unpack(tree, package)
        # x86-64 programs name their loader by this path.
        tree.symlink("usr/lib64/ld-linux-x86-64.so.2",
                     "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
        tree.symlink("usr/bin/sh", "bash")
        for applet in self._applets(tree):
            tree.symlink("usr/bin/" + applet, "busybox")
        tree.directory("usr/sbin")
        passwd(tree, "presto", pins.PRESTO_UID, "/var/lib/presto", "/bin/bash")
        tree.data("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
        tree.directory("tmp", 0o1777)
        tree.directory("var/tmp", 0o1777)
        tree.directory("var/lib/presto", 0o755, pins.PRESTO_UID)
        tree.symlink("usr/bin/java", pins.JAVA_HOME + "/bin/java")
        return tree

    def _unpack(self, tree, package):
        path = os.path.join(self.downloads, "debian", self.debian[package][0])
        wanted = re.compile(self.wanted[package])
        with fetch.deb_members(path) as members:
            for item in members:
                name = item.name.lstrip("./")
                licence = name == f"usr/share/doc/{package}/copyright"
                if not licence and not wanted.match(name):
                    continue
                if not name.startswith("usr/"):
                    name = "usr/" + name
                if item.issym():
                    tree.symlink(name, item.linkname)
                elif item.isreg():
                    tree.data(name, members.extractfile(item).read(), item.mode)

    def _applets(self, tree):
        program = os.path.join(self.scratch, "busybox")
        with open(program, "wb") as out:
            out.write(tree.entries["usr/bin/busybox"][1])
        os.chmod(program, 0o755)
        names = subprocess.run([program, "--list"], capture_output=True, text=True,
                               check=True).stdout.split()
        return [name for name in names if name not in self.no_applets]

    def _java(self, home):
        tree = Tree("java")
        for path, source in walk(home):
            run = path.startswith("bin/") or path in ("lib/jexec", "lib/jspawnhelper")
            tree.file(f"{pins.JAVA_HOME}/{path}", source, 0o755 if run else 0o644)
        return tree

    def _folder(self, name, server):
        tree = Tree(name)
        for path, source in walk(os.path.join(server, name)):
            tree.file(f"{pins.PRESTO_HOME}/{name}/{path}", source)
        return tree

    def runtime(self):
        return {"User": f"{pins.PRESTO_UID}:{pins.PRESTO_UID}", "Cmd": ["/bin/bash"],
                "WorkingDir": "/var/lib/presto", "Env": [
                    f"PATH={pins.JAVA_HOME}/bin:/usr/bin:/bin",
                    f"JAVA_HOME={pins.JAVA_HOME}", f"PRESTO_HOME={pins.PRESTO_HOME}",
                    "LANG=C.UTF-8"]}


def walk(folder):
    for root, _, names in os.walk(folder):
        for name in names:
            source = os.path.join(root, name)
            yield os.path.relpath(source, folder), source
