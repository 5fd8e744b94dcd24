"""The definition against a real API server, and our offline check against the server's verdict: same place, same words."""
import base64
import copy
import http.client
import json
import os
import pathlib
import re
import ssl
import subprocess
import uuid

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / os.environ.get("VARIANT", "debug")
DEVCLUSTER = ROOT / "scripts/devcluster/devcluster"
HERE = pathlib.Path(__file__).parent
PRESTOS = "/apis/starburstdata.com/v1/namespaces/default/prestos"

with open(HERE / "wrong_resources.yaml", encoding="utf-8") as table:
    CASES = yaml.safe_load(table)


def merge(base, patch):
    """RFC 7386, as the unit test does it."""
    for key, value in patch.items():
        if value is None:
            base.pop(key, None)
        elif isinstance(value, dict):
            base[key] = merge(base.get(key) if isinstance(base.get(key), dict) else {}, value)
        else:
            base[key] = value
    return base


def resource(case):
    base = {"apiVersion": "starburstdata.com/v1", "kind": "Presto", "metadata": {"name": "wrong"}}
    if "spec" in case:
        base["spec"] = copy.deepcopy(case["spec"])
    return merge(base, copy.deepcopy(case.get("resource", {})))


class Server:
    """Plain requests with the client certificate of the cluster's kubeconfig; replies as the server wrote them."""

    def __init__(self, name, folder):
        done = subprocess.run([DEVCLUSTER, "kubeconfig", "--name", name], check=True, capture_output=True, text=True)
        config = yaml.safe_load(done.stdout)
        user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]
        files = {}
        for key, value in (("ca", cluster["certificate-authority-data"]), ("cert", user["client-certificate-data"]),
                           ("key", user["client-key-data"])):
            files[key] = folder / key
            files[key].write_bytes(base64.b64decode(value))
        self.name = name
        self.host = cluster["server"].removeprefix("https://")
        self.tls = ssl.create_default_context(cafile=files["ca"])
        self.tls.load_cert_chain(files["cert"], files["key"])

    def kubectl(self, *args):
        return subprocess.run([DEVCLUSTER, "kubectl", "--name", self.name, *args], check=True, text=True,
                              capture_output=True, timeout=60).stdout

    def ask(self, method, path, body=None, kind="application/json"):
        """(status code, decoded body)"""
        connection = http.client.HTTPSConnection(self.host, context=self.tls, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": kind})
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            connection.close()

    def create(self, obj):
        return self.ask("POST", PRESTOS + "?fieldValidation=Strict", obj)

    def delete(self, name):
        self.ask("DELETE", f"{PRESTOS}/{name}")


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    name = "schema-" + uuid.uuid4().hex[:6]
    try:
        subprocess.run([DEVCLUSTER, "up", "--control-plane-only", "--name", name], check=True, timeout=600)
        server = Server(name, tmp_path_factory.mktemp("tls"))
        for manifest in ("crd", "service_account", "role", "role_binding", "operator"):
            server.kubectl("apply", "--server-side", "-f", str(ROOT / f"presto/manifests/{manifest}.yaml"))
        server.kubectl("wait", "--for=condition=Established", "crd/prestos.starburstdata.com", "--timeout=30s")
        yield server
    finally:
        subprocess.run([DEVCLUSTER, "down", "--name", name], check=True, timeout=120)


@pytest.fixture(scope="module", name="verdicts")
def _verdicts(tmp_path_factory):
    """What presto_check says of each case, in order."""
    program = tmp_path_factory.mktemp("check") / "check_resource"
    sanitize = ["-fsanitize=address,undefined"] if os.environ.get("VARIANT", "debug") == "debug" else []
    libraries = subprocess.run(["pkg-config", "--cflags", "--libs", "jansson", "yaml-0.1", "libcurl", "openssl"],
                               check=True, capture_output=True, text=True).stdout.split()
    subprocess.run(["make", "-s", *(f"build/{BUILD.name}/lib{part}.a" for part in ("presto", "base"))], cwd=ROOT, check=True)
    subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-I", ROOT, *sanitize, "-o", program, HERE / "check_resource.c",
                    BUILD / "libpresto.a", BUILD / "libbase.a", *libraries], check=True)
    lines = "".join(json.dumps(resource(case)) + "\n" for case in CASES)
    done = subprocess.run([program], input=lines, check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def findings(status):
    """The server's findings as (path, message), without what it says twice or about the others."""
    if status["reason"] != "Invalid":
        match = re.search("strict decoding error: (.*)", status["message"])
        if not match:
            return {("", status["message"])}
        return {(re.search('"(.*)"', text)[1], text) for text in match[1].split(", ")}
    return {(cause["field"].removeprefix("."), cause["message"]) for cause in status["details"]["causes"]
            if cause["field"] != "<nil>"}


@pytest.mark.parametrize("index", range(len(CASES)), ids=[case["what"].replace(" ", "-") for case in CASES])
def test_server_and_we_refuse_the_same_at_the_same_place(server, verdicts, index):
    case, ours = CASES[index], {(one["path"], one["msg"]) for one in verdicts[index]}
    code, reply = server.create(resource(case))
    assert ours
    if case["by"] == "ours":
        assert code == 201, reply["message"]
        server.delete("wrong")
        return
    assert code in (400, 422), reply
    if case["by"] == "metadata":
        return
    theirs = findings(reply)
    if case["by"] == "strict":  # the server stops there; we go on and tell what else is wrong
        ours = {one for one in ours if one[1].startswith("unknown field")}
    # Each of our findings is one of the server's, word by word; and every place of the server's is one of ours,
    # but for what the scale subresource stumbles over after the schema has said it.
    assert ours <= theirs
    assert {path for path, _ in ours} == {path for path, message in theirs if ours & {(path, message)} or "accessor error" not in message}
    assert any(path == case["path"] and case["says"] in message for path, message in theirs)


def test_server_takes_the_example(server):
    example = yaml.safe_load((ROOT / "examples/presto.yaml").read_text("utf-8"))
    code, reply = server.create(example)
    assert code == 201, reply
    server.delete(example["metadata"]["name"])


@pytest.mark.parametrize("before, after", [(None, "b"), ("a", "b"), ("a", None)])
def test_name_override_of_a_living_cluster_cannot_be_edited(server, before, after):
    spec = {"nameOverride": before} if before else {}
    assert server.create(resource({"spec": spec}))[0] == 201
    try:
        code, reply = server.ask("PATCH", PRESTOS + "/wrong", {"spec": {"nameOverride": after}},
                                 "application/merge-patch+json")
        assert code == 422
        assert reply["details"]["causes"][0]["field"] == "spec.nameOverride"
        code, _ = server.ask("PATCH", PRESTOS + "/wrong", {"spec": {"worker": {"count": 3}}}, "application/merge-patch+json")
        assert code == 200
    finally:
        server.delete("wrong")


def test_empty_name_override_is_the_same_as_none(server):
    assert server.create(resource({"spec": {"nameOverride": ""}}))[0] == 201
    code, _ = server.ask("PATCH", PRESTOS + "/wrong", {"spec": None}, "application/merge-patch+json")
    server.delete("wrong")
    assert code == 200


def test_status_columns_and_scale_show_what_the_operator_writes(server):
    status = {
        "observedGeneration": 1, "name": "wrong-x", "service": "presto-coordinator-wrong-x", "version": "312",
        "selector": "instance=wrong-x,role=worker", "message": "1 of 2 workers has joined",
        "coordinator": {"ready": True}, "workers": {"desired": 2, "ready": 2, "active": 1},
        "conditions": [{"type": "Ready", "status": "False", "reason": "WorkersMissing", "observedGeneration": 1,
                        "message": "1 of 2 workers has joined", "lastTransitionTime": "2020-01-01T00:00:00Z"}]}
    assert server.create(resource({"spec": {"worker": {"count": 2}}}))[0] == 201
    try:
        body = {"apiVersion": "starburstdata.com/v1", "kind": "Presto", "metadata": {"name": "wrong"}, "status": status}
        code, reply = server.ask("PATCH", PRESTOS + "/wrong/status?fieldManager=test&force=true&fieldValidation=Strict",
                                 body, "application/apply-patch+yaml")
        assert code == 200, reply
        assert reply["status"] == status  # nothing pruned
        assert server.kubectl("get", "prestos", "--no-headers").split()[:6] == [
            "wrong", "False", "true", "1", "2", "WorkersMissing"]
        assert "presto-coordinator-wrong-x" in server.kubectl("get", "prestos", "-o", "wide")
        server.kubectl("scale", "presto/wrong", "--replicas=5")
        _, scale = server.ask("GET", PRESTOS + "/wrong/scale")
        assert scale["spec"]["replicas"] == 5
        assert scale["status"] == {"replicas": 2, "selector": "instance=wrong-x,role=worker"}
    finally:
        server.delete("wrong")


@pytest.mark.parametrize("verb, what, may", [
    ("watch", "prestos.starburstdata.com", True), ("patch", "prestos.starburstdata.com/status", True),
    ("patch", "deployments.apps", True), ("patch", "configmaps", True), ("delete", "services", True),
    ("create", "events", True), ("get", "secrets", False), ("delete", "prestos.starburstdata.com", False),
    ("update", "prestos.starburstdata.com", False), ("delete", "pods", False), ("get", "nodes", False),
    ("create", "roles.rbac.authorization.k8s.io", False)])
def test_the_operator_may_do_its_work_and_no_more(server, verb, what, may):
    what, _, subresource = what.partition("/")
    done = subprocess.run([DEVCLUSTER, "kubectl", "--name", server.name, "auth", "can-i", verb, what, "-n", "default",
                           "--subresource=" + subresource, "--as", "system:serviceaccount:default:presto-operator"],
                          check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == ("yes" if may else "no")
