#!/usr/bin/env python3
"""Speed and size of the operator on a local API server without kubelets: prints one JSON object.

usage: tests/bench/operator_bench.py [PROGRAM]      (default: build/release/presto-operator)
"""
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import datetime

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEVCLUSTER = ROOT / "scripts/devcluster/devcluster"
USER_AGENT = "presto-operator/"
MANY = 100


def run(*args, text=None):
    return subprocess.run(args, check=True, capture_output=True, text=True, input=text, timeout=300).stdout


class Bench:
    def __init__(self, program, name, folder):
        state = json.loads(run(DEVCLUSTER, "status", "--name", name, "--output", "json").splitlines()[-1])
        self.program, self.name, self.folder = program, name, folder
        self.kubeconfig, self.audit = state["kubeconfig"], pathlib.Path(state["audit_log"])
        self.process = None

    def kubectl(self, *args, text=None):
        return run(DEVCLUSTER, "kubectl", "--name", self.name, *args, text=text)

    def start(self):
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen([self.program, "--kubeconfig", self.kubeconfig, "--namespace", "default", "--image",
                                         "localhost/presto-operator:bench", "--metrics-addr", "127.0.0.1:0"], stderr=log)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)

    def memory(self):
        """(resident, private) in MiB"""
        out = {}
        for line in pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()[1:]:
            key, kb = line.split()[:2]
            out[key.rstrip(":")] = int(kb) / 1024
        return round(out["Rss"], 1), round(out["Private_Clean"] + out["Private_Dirty"], 1)

    def events(self, since):
        time.sleep(0.5)
        out = []
        with open(self.audit, encoding="utf-8") as log:
            log.seek(since)
            for line in log:
                try:
                    out.append(json.loads(line))
                except ValueError:
                    pass
        return [e for e in out if e["stage"] == "ResponseComplete" and e["verb"] != "watch"]

    def mark(self):
        time.sleep(0.3)
        return self.audit.stat().st_size


def at(event):
    return datetime.fromisoformat(event["stageTimestamp"].replace("Z", "+00:00")).timestamp()


def is_ours(event):
    return event.get("userAgent", "").startswith(USER_AGENT)


def is_child(event):
    return is_ours(event) and event["objectRef"]["resource"] in ("configmaps", "services", "deployments")


def resource(name):
    return json.dumps({"apiVersion": "starburstdata.com/v1", "kind": "Presto", "metadata": {"name": name, "namespace": "default"},
                       "spec": {"nameOverride": name, "coordinator": {"memoryAllocation": "1Gi"},
                                "worker": {"memoryAllocation": "1Gi"}}})


def creation(bench, i):
    since = bench.mark()
    bench.kubectl("create", "-f", "-", text=resource(f"one{i}"))
    time.sleep(2)
    events = bench.events(since)
    made = next(at(e) for e in events if e["verb"] == "create" and e["objectRef"]["resource"] == "prestos")
    writes = [at(e) for e in events if is_child(e)]
    assert len(writes) == 5, len(writes)
    return (max(writes) - made) * 1000, sum(is_ours(e) for e in events)


def many(bench):
    since = bench.mark()
    bench.kubectl("create", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List",
                                                        "items": [json.loads(resource(f"many{i}")) for i in range(MANY)]}))
    peak, end = (0, 0), time.monotonic() + 15
    while time.monotonic() < end:
        peak = max(peak, bench.memory())
        time.sleep(0.1)
    events = bench.events(since)
    made = [at(e) for e in events if e["verb"] == "create" and e["objectRef"]["resource"] == "prestos"]
    writes = [at(e) for e in events if is_child(e)]
    assert len(writes) == 5 * MANY, len(writes)
    return {"children_written_s": round(max(writes) - min(made), 2), "after_last_created_s": round(max(writes) - max(made), 2),
            "peak_rss_mib": peak[0], "settled_mib": bench.memory()}


def restart(bench):
    bench.stop()
    since = bench.mark()
    bench.start()
    time.sleep(6)
    events = [e for e in bench.events(since) if is_ours(e)]
    return {"requests": len(events), "writes": sum(e["verb"] in ("patch", "create", "delete", "update") for e in events),
            "mib": bench.memory()}


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build/release/presto-operator")
    name, out = "bench-" + uuid.uuid4().hex[:6], {}
    with tempfile.TemporaryDirectory(prefix="operator-bench-") as folder:
        try:
            run(DEVCLUSTER, "up", "--control-plane-only", "--name", name)
            bench = Bench(program, name, pathlib.Path(folder))
            bench.kubectl("apply", "--server-side", "-f", str(ROOT / "presto/manifests/crd.yaml"))
            bench.kubectl("wait", "--for=condition=Established", "crd/prestos.starburstdata.com", "--timeout=30s")
            time.sleep(2)
            bench.start()
            time.sleep(4)
            out["empty_mib"] = bench.memory()
            times = [creation(bench, i) for i in range(7)]
            out["creation_ms"] = round(statistics.median(t for t, _ in times), 1)
            out["creation_ms_all"] = [round(t, 1) for t, _ in times]
            out["creation_requests"] = statistics.median(n for _, n in times)
            time.sleep(4)
            out["few_mib"] = bench.memory()
            out["many"] = many(bench)
            out["restart"] = restart(bench)
            bench.stop()
        finally:
            run(DEVCLUSTER, "down", "--name", name)
    print(json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
