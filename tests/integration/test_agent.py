"""presto-agent as a process: what it writes, starts, forwards, drains and reports.

"java" is a small script here, because these cases are about signals, exit codes and answers that a real
engine gives rarely; the end-to-end tests run the agent with the real one.
"""
import hashlib
import http.server
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
AGENT = ROOT / "build" / os.environ.get("VARIANT", "debug") / "presto-agent"

JAVA = """#!{python}
import http.server, json, os, signal, sys, threading, time
signal.signal(signal.SIGHUP, lambda *a: open("hup", "w").close())
open("argv", "w").write("\\n".join(sys.argv[1:]))
mode = os.environ.get("JAVA_MODE", "serve")
if mode.startswith("exit"):
    sys.exit(int(mode[4:]))
if mode == "orphans":
    for _ in range(3):
        if os.fork() == 0:
            if os.fork() == 0:
                time.sleep(0.2)
            os._exit(0)
    time.sleep(1)
    sys.exit(0)
class Handler(http.server.BaseHTTPRequestHandler):
    state = "ACTIVE"
    def answer(self, value):
        body = json.dumps(value, separators=(",", ":")).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(Handler.state if self.path.endswith("state") else {{"starting": mode == "starting"}})
    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if mode == "refuse":
            self.send_response(403); self.end_headers(); return
        Handler.state = json.loads(body)
        self.answer("")
        if mode != "busy":
            threading.Timer(0.5, lambda: os._exit(0)).start()
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def checksum(files):
    h = hashlib.sha256()
    for path, text in files:
        h.update(path.encode() + b"\0" + str(len(text)).encode() + b"\0" + text.encode())
    return h.hexdigest()


class Pod:
    """A pod's folders and environment, with the agent in it."""

    def __init__(self, tmp, role="coordinator", mode="serve", **env):
        self.tmp, self.role, self.port = tmp, role, free_port()
        self.data = tmp / "data"
        home = tmp / "presto"
        for folder in (self.data / "etc-origin", self.data / "catalog-origin", home / "lib", home / "plugin",
                       tmp / "jre/bin"):
            folder.mkdir(parents=True)
        java = tmp / "jre/bin/java"
        java.write_text(JAVA.format(python=sys.executable))
        java.chmod(0o755)
        self.files = [
            ("etc/config.properties", f"coordinator=true\nhttp-server.http.port={self.port}\n"),
            ("etc/jvm.config", "-server\n# a comment\n\n-Xmx512m\n"),
            ("etc/node.properties", "node.environment=lab\n"),
            ("catalog/tpch.properties", "connector.name=tpch\n"),
        ]
        self.mount()
        self.env = {"PATH": os.environ["PATH"], "PRESTO_DATA_DIR": str(self.data), "PRESTO_HOME": str(home),
                    "JAVA_HOME": str(tmp / "jre"), "POD_ID": "0a1b", "POD_IP": "127.0.0.1", "PORT": str(self.port),
                    "JAVA_MODE": mode, "PRESTO_CHECKSUM": checksum(self.files), **env}
        self.log = tmp / "log"

    def mount(self):
        for path, text in self.files:
            folder, name = path.split("/")
            (self.data / f"{folder}-origin" / name).write_text(text)

    def start(self):
        self.process = subprocess.Popen([AGENT, "run", self.role], env=self.env, stderr=self.log.open("w"))
        return self

    def probe(self, what):
        return subprocess.run([AGENT, "probe", what], env=self.env, capture_output=True, text=True, timeout=20)

    def serving(self):
        wait_until(lambda: self.probe("live").returncode == 0)
        return self

    def said(self):
        return self.log.read_text()


def wait_until(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


@pytest.fixture
def pod(tmp_path):
    pods = []

    def make(*args, **kwargs):
        pods.append(Pod(tmp_path, *args, **kwargs))
        return pods[-1]

    yield make
    for p in pods:
        if getattr(p, "process", None) and p.process.poll() is None:
            p.process.kill()
            p.process.wait()
        subprocess.run(["pkill", "-KILL", "-f", str(tmp_path / "jre/bin/java")], check=False)


@pytest.fixture
def coordinator():
    """Something that answers GET /v1/info, until it is told to stop."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_java_is_started_with_what_the_files_say(pod):
    p = pod().start().serving()
    argv = (p.data / "run/argv").read_text().split("\n")
    assert argv == ["-server", "-Xmx512m", "-Dnode.environment=lab", "-Dnode.id=0a1b",
                    "-Dnode.internal-address=127.0.0.1", f"-Dnode.data-dir={p.data}",
                    "-Dconfig=etc/config.properties", "-cp", "lib/*", "io.prestosql.server.PrestoServer"]
    assert (p.data / "run/etc/catalog/tpch.properties").read_text() == "connector.name=tpch\n"


def test_files_of_an_earlier_start_do_not_stay(pod):
    p = pod()
    (p.data / "run/etc/catalog").mkdir(parents=True)
    (p.data / "run/etc/catalog/old.properties").write_text("connector.name=gone\n")
    p.start().serving()
    assert [f.name for f in (p.data / "run/etc/catalog").iterdir()] == ["tpch.properties"]


def test_main_class_comes_from_the_launcher_of_the_image(pod):
    p = pod()
    launcher = p.tmp / "presto/bin/launcher.properties"
    launcher.parent.mkdir()
    launcher.write_text("main-class=com.facebook.presto.server.PrestoServer\nprocess-name=presto-server\n")
    p.start().serving()
    assert (p.data / "run/argv").read_text().split("\n")[-1] == "com.facebook.presto.server.PrestoServer"


def test_stale_files_are_waited_for(pod):
    p = pod()
    (p.data / "etc-origin/config.properties").write_text("stale\n")
    p.start()
    wait_until(lambda: "waiting for the mounted files" in p.said())
    p.mount()
    p.serving()


def test_sigterm_while_waiting_for_files_ends_the_agent(pod):
    p = pod()
    (p.data / "etc-origin/config.properties").write_text("stale\n")
    p.start()
    wait_until(lambda: "waiting for the mounted files" in p.said())
    p.process.terminate()
    assert p.process.wait(5) == 143


def test_memory_of_the_whole_node_is_filled_in(pod):
    p = pod()
    p.files[0] = ("etc/config.properties", p.files[0][1] + "query.max-total-memory-per-node=@QUERY_MAX_TOTAL_PER_NODE@\n")
    p.files[1] = ("etc/jvm.config", "-Xmx@XMX@\n")
    p.files.insert(2, ("etc/memory.properties", "node-memory-headroom=1073741824\nxmx-ratio=0.5\n"
                       "heap-headroom-ratio=0.3\nquery-max-total-ratio=0.333\n"))
    p.mount()
    p.env["PRESTO_CHECKSUM"] = checksum(p.files)
    p.start().serving()
    total = int(next(l for l in open("/proc/meminfo") if l.startswith("MemTotal")).split()[1]) * 1024
    xmx = int((p.data / "run/argv").read_text().split("\n")[0].removeprefix("-Xmx").removesuffix("m"))
    assert 0 < xmx <= (total - (1 << 30)) // 2 >> 20
    assert "=@" not in (p.data / "run/etc/config.properties").read_text()


@pytest.mark.parametrize("mode, code", [("exit0", 0), ("exit1", 1), ("exit100", 100)])
def test_exit_code_is_the_one_of_java(pod, mode, code):
    assert pod(mode=mode).start().process.wait(10) == code


def test_orphans_do_not_disturb(pod):
    assert pod(mode="orphans").start().process.wait(10) == 0


def test_coordinator_stops_at_once(pod):
    p = pod().start().serving()
    p.process.terminate()
    assert p.process.wait(5) == 143


def test_other_signals_reach_java(pod):
    p = pod().start().serving()
    p.process.send_signal(signal.SIGHUP)
    wait_until((p.data / "run/hup").exists)


def test_worker_finishes_gracefully(pod, coordinator):
    p = pod(role="worker", PRESTO_COORDINATOR=f"localhost:{coordinator.server_port}").start().serving()
    p.process.terminate()
    assert p.process.wait(10) == 0
    assert "finishes its tasks" in p.said()


def test_busy_worker_drains_as_long_as_a_coordinator_answers(pod, coordinator):
    p = pod(role="worker", mode="busy", PRESTO_COORDINATOR=f"localhost:{coordinator.server_port}").start().serving()
    p.process.terminate()
    wait_until(lambda: "finishes its tasks" in p.said())
    assert "SHUTTING_DOWN" in p.probe("ready").stdout
    time.sleep(12)
    assert p.process.poll() is None, "it gave up although the coordinator answers"
    coordinator.shutdown()
    coordinator.server_close()
    assert p.process.wait(20) == 143
    assert "no coordinator for 10 s" in p.said()


def test_worker_that_refuses_to_finish_is_stopped(pod):
    p = pod(role="worker", mode="refuse").start().serving()
    p.process.terminate()
    assert p.process.wait(15) == 143
    assert "status 403" in p.said()


def test_second_sigterm_stops_a_draining_worker(pod, coordinator):
    p = pod(role="worker", mode="busy", PRESTO_COORDINATOR=f"localhost:{coordinator.server_port}").start().serving()
    p.process.terminate()
    wait_until(lambda: "finishes its tasks" in p.said())
    p.process.terminate()
    assert p.process.wait(5) == 143


def test_probes_tell_starting_from_live(pod):
    p = pod(mode="starting").start().serving()
    ready = p.probe("ready")
    assert (ready.returncode, ready.stdout) == (1, "Presto is still starting\n")


def test_probe_without_a_server_says_so(pod):
    live = pod().probe("live")
    assert live.returncode == 1 and "refused" in live.stdout


@pytest.mark.parametrize("spoil, words", [
    (lambda p: (p.tmp / "jre/bin/java").unlink() or p.env.update(PATH="/nonexistent"), ["no java", "JAVA_HOME"]),
    (lambda p: (p.tmp / "presto/lib").rmdir(), ["no Presto", "PRESTO_HOME"]),
])
def test_unfit_image_is_told_where_it_was_looked(pod, spoil, words):
    p = pod()
    spoil(p)
    assert p.start().process.wait(10) == 1
    assert all(w in p.said() for w in words)


def test_install_copies_itself_executable(tmp_path):
    old = os.umask(0o177)
    try:
        subprocess.run([AGENT, "install", tmp_path], check=True)
    finally:
        os.umask(old)
    assert (tmp_path / "presto-agent").read_bytes() == AGENT.read_bytes()
    assert (tmp_path / "presto-agent").stat().st_mode & 0o777 == 0o755
    assert [f.name for f in tmp_path.iterdir()] == ["presto-agent"]


def test_install_into_nowhere_fails_in_one_line(tmp_path):
    r = subprocess.run([AGENT, "install", tmp_path / "no"], capture_output=True, text=True)
    assert r.returncode == 1 and r.stderr.count("\n") == 1 and str(tmp_path) in r.stderr


def test_agent_is_small_and_static():
    assert AGENT.stat().st_size <= 1_500_000
    assert "statically linked" in subprocess.run(["file", AGENT], capture_output=True, text=True).stdout or \
        "no dynamic" in subprocess.run(["readelf", "-d", AGENT], capture_output=True, text=True).stdout.lower()
