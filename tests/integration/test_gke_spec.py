"""cluster.gke against the Google stand-in: what is made is what was asked, a second look changes nothing, changes work."""

import copy
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cprobe import build_probe

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "peers" / "google"))
sys.dont_write_bytecode = True

from client import Google               # noqa: E402  pylint: disable=wrong-import-position

LIBS = ["libcurl", "openssl", "jansson", "yaml-0.1", "libmicrohttpd"]
ARCHIVES = ["provision", "gke", "k8s", "presto", "base"]
POOLS = [
    {"name": "workers", "machineType": "e2-standard-2", "count": 2, "diskSizeGb": 30, "diskType": "pd-standard",
     "imageType": "COS_CONTAINERD", "labels": {"for": "presto", "example.com/x": "y"},
     "taints": [{"key": "k", "value": "v", "effect": "PreferNoSchedule"}, {"key": "l", "effect": "NoExecute"}]},
    {"name": "spare", "machineType": "e2-medium", "spot": True, "count": 1, "autoscaling": {"min": 0, "max": 3},
     "serviceAccount": "nodes@demo-proj.iam.gserviceaccount.com"}]
PRIVATE = {
    "network": "ci-net", "subnetwork": "ci-sub", "podsRange": "pods", "servicesRange": "svcs", "privateNodes": True,
    "controlPlaneRange": "172.16.0.0/28", "endpoint": "private",
    "authorizedNetworks": ["10.0.0.0/8", {"cidr": "192.168.1.0/24", "name": "office"}]}
RECURRING = {"start": "2030-01-05T02:00:00Z", "end": "2030-01-05T08:00:00Z", "recurrence": "FREQ=WEEKLY;BYDAY=SA,SU"}
FILES = {
    "smallest": {},
    "regional": {"location": "us-central1", "releaseChannel": "stable", "version": "1.31"},
    "pools": {"nodePools": POOLS, "labels": {"team": "data"}, "ttl": "8h", "deletionProtection": True},
    "private": PRIVATE,
    "calico": {"dataplane": "calico", "releaseChannel": "none", "version": "1.31.8-gke.1113000", "endpoint": "public"},
    "two stacks": {"network": "ci-net", "createSubnetwork": {"name": "s1", "range": "10.9.0.0/20"},
                   "stack": "ipv4-ipv6", "ipv6Access": "internal"},
    "subnet": {"createSubnetwork": True, "endpoint": "dns", "workloadIdentity": True},
    "daily": {"maintenanceWindow": {"dailyStart": "03:00"}, "location": ["us-central1-b", "us-central1-c"]},
    "recurring": {"maintenanceWindow": RECURRING, "mode": "standard", "stack": "ipv4", "privateNodes": False},
    "autopilot": {"location": "us-central1", "mode": "autopilot", "labels": {"team": "data"}, "ttl": "30m"},
    "advanced": {"advanced": {"verticalPodAutoscaling": {"enabled": True},
                              "networkConfig": {"enableIntraNodeVisibility": True}}},
}


@pytest.fixture(scope="module", name="program")
def _program(tmp_path_factory):
    return build_probe(tmp_path_factory.mktemp("probe"), "gke_spec_probe", ARCHIVES, LIBS)


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    with Google(tmp_path_factory.mktemp("google"), scale=2000) as google:
        yield google


class Live:
    """One environment file and the cluster that the stand-in made of it."""

    def __init__(self, program, google, folder):
        self.program, self.google, self.path = program, google, folder / "env.yaml"
        self.section = {}

    def probe(self, *argv, data=None):
        done = subprocess.run([self.program, *argv], input=data, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def write(self, section):
        self.section = {"project": "demo-proj", "location": "us-central1-a", **section}
        self.path.write_text(json.dumps({
            "apiVersion": "prestoctl/v1", "kind": "Environment", "name": "demo",
            "cluster": {"provider": "gke", "gke": self.section},
            "presto": {"metadata": {"name": "p"}, "spec": {"worker": {"count": 1}}}}))

    def send(self, method, url, body):
        status, reply = self.google.http(method, "/v1" + url, body, token=self.google.token)
        assert status == 200, reply
        place, end = url.split("/clusters")[0], time.monotonic() + 20
        while reply["status"] != "DONE":
            assert time.monotonic() < end, reply
            time.sleep(0.01)
            _, reply = self.google.http("GET", f"/v1{place}/operations/{reply['name']}", token=self.google.token)
        assert not reply.get("error"), reply

    @property
    def url(self):
        place = self.section["location"]
        return f"/projects/demo-proj/locations/{place[0] if isinstance(place, list) else place}/clusters"

    def make(self, section):
        self.write(section)
        self.send("POST", self.url, self.probe("body", self.path, "r1"))
        return self.get()

    def get(self):
        return self.google.http("GET", f"/v1{self.url}/demo", token=self.google.token)[1]

    def diff(self):
        return self.probe("diff", self.path, data=json.dumps(self.get()))

    def change(self, section):
        """Writes the file anew, sends what the difference asks for; the words for it."""
        self.write(section)
        changes = self.diff()["changes"]
        for one in changes:
            self.send(one["method"], one["url"], one["body"])
        assert self.diff() == {"changes": []}
        return [one["what"] for one in changes]


@pytest.fixture(name="live")
def _live(program, server, tmp_path):
    server.reset()
    return Live(program, server, tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_cluster_as_made_needs_no_change(live, name):
    made = live.make(FILES[name])
    assert made["resourceLabels"]["prestoctl-environment"] == "demo"
    assert made["resourceLabels"]["prestoctl-run"] == "r1"
    assert live.diff() == {"changes": []}


def test_pools_are_grown_changed_made_and_dropped(live):
    live.make({"nodePools": POOLS})
    pools = copy.deepcopy(POOLS)
    pools[0] |= {"count": 3, "labels": {"for": "all"}, "imageType": "UBUNTU_CONTAINERD", "taints": []}
    pools[1] = {"name": "fresh", "machineType": "e2-standard-4", "autoscaling": {"min": 1, "max": 2}}
    assert live.change({"nodePools": pools}) == [
        "pool workers: 3 nodes, not 2", "pool workers: 2 labels of its nodes", "pool workers: 0 taints of its nodes",
        "pool workers: image type UBUNTU_CONTAINERD, not COS_CONTAINERD", "pool fresh: a new one, 2 e2-standard-4",
        "pool spare: not in the file any more"]
    there = live.google.ledger()["projects"]["demo-proj"]["clusters"][0]["nodePools"]
    assert {k: v["nodesPerZone"] for k, v in there.items()} == {"workers": 3, "fresh": 2}
    assert live.get()["nodePools"][0]["config"]["labels"] == {"for": "all", "example.com/x": "y"}


def test_autoscaling_comes_moves_and_goes(live):
    live.make({"nodePools": [{"name": "a", "count": 1}]})
    assert live.change({"nodePools": [{"name": "a", "count": 1, "autoscaling": {"max": 2}}]}) == [
        "pool a: 0 to 2 nodes, by the autoscaler"]
    assert live.change({"nodePools": [{"name": "a", "count": 1, "autoscaling": {"min": 1, "max": 4}}]}) == [
        "pool a: 1 to 4 nodes, by the autoscaler"]
    assert live.change({"nodePools": [{"name": "a", "count": 2}]}) == ["pool a: no autoscaling", "pool a: 2 nodes, not 1"]


def test_the_control_plane_is_upgraded_before_the_nodes(live):
    live.make({"releaseChannel": "stable", "version": "1.31"})
    assert live.change({"releaseChannel": "rapid", "version": "1.33"}) == [
        "release channel: rapid, not STABLE", "control plane: version 1.33, not 1.31.8-gke.1113000",
        "pool default-pool: version 1.33, not 1.31.8-gke.1113000"]
    # What is newer than asked stays: Google upgrades by itself.
    assert live.change({"releaseChannel": "rapid", "version": "1.32"}) == []


def test_upgrades_follow_the_channel(live):
    live.make({"releaseChannel": "none"})
    assert live.get()["nodePools"][0]["management"] == {"autoRepair": True, "autoUpgrade": False}
    assert live.change({"releaseChannel": "regular"}) == [
        "pool default-pool: automatic upgrades", "release channel: regular, not UNSPECIFIED"]
    assert live.change({"releaseChannel": "none"}) == [
        "release channel: none, not REGULAR", "pool default-pool: no automatic upgrades"]


def test_labels_ttl_and_protection_follow_the_file_and_others_stay(live):
    live.make({"labels": {"team": "data", "cost": "1"}, "ttl": "8h"})
    assert live.change({"labels": {"team": "web"}, "ttl": "1h", "deletionProtection": True}) == [
        "labels: team, prestoctl-protected, prestoctl-ttl, prestoctl-expires-at"]
    labels = live.get()["resourceLabels"]
    assert labels["cost"] == "1" and labels["team"] == "web" and labels["prestoctl-protected"] == "true"
    assert 3500 < int(labels["prestoctl-expires-at"]) - time.time() < 3700
    assert live.change({"labels": {"team": "web"}}) == [
        "labels: prestoctl-protected, prestoctl-ttl, prestoctl-expires-at"]
    assert set(live.get()["resourceLabels"]) == {"cost", "team", "prestoctl-environment", "prestoctl-run"}


def test_endpoints_windows_and_identity_are_changed(live):
    live.make({"authorizedNetworks": ["203.0.113.0/24"], "privateNodes": True})
    assert live.change({"authorizedNetworks": ["203.0.113.0/24", "2001:DB8::/32"], "endpoint": "private",
                        "privateNodes": True, "maintenanceWindow": {"dailyStart": "04:00"}, "workloadIdentity": True}) == [
        "workload identity", "pool default-pool: workload identity",
        "control plane: its endpoint and authorized networks", "maintenance window"]
    assert live.change({"authorizedNetworks": ["203.0.113.0/24"], "endpoint": "dns", "maintenanceWindow": RECURRING,
                        "workloadIdentity": False}) == [
        "pool default-pool: no workload identity", "no workload identity",
        "control plane: its endpoint and authorized networks", "maintenance window"]


def test_what_is_fixed_is_refused_field_by_field(live):
    live.make({"nodePools": POOLS[:1], "network": "ci-net", "dataplane": "v2"})
    live.write({"location": "us-central1-a", "network": "other", "dataplane": "calico", "privateNodes": True,
                "stack": "ipv4-ipv6", "nodePools": [{**POOLS[0], "machineType": "e2-standard-8", "diskSizeGb": 60,
                                                     "diskType": "pd-ssd", "spot": True, "count": 9}]})
    refused = live.diff()
    assert refused["error"].startswith("the cluster demo cannot be changed to what the file says: cluster.gke.network: other")
    assert [line.split(":")[0] for line in refused["detail"].splitlines()] == ["cluster.gke." + f for f in (
        "network", "stack", "privateNodes", "dataplane", "nodePools[0].machineType", "nodePools[0].diskType",
        "nodePools[0].diskSizeGb", "nodePools[0].spot")]
    assert "e2-standard-8 is asked for, but e2-standard-2 is there; it is fixed when a pool is made" in refused["detail"]


def test_a_cluster_of_somebody_else_keeps_its_pools(live):
    live.make({"nodePools": POOLS})
    live.write({"nodePools": POOLS[:1]})
    body = live.get()
    assert [c["what"] for c in live.probe("diff", live.path, data=json.dumps(body))["changes"]] == [
        "pool spare: not in the file any more"]
    del body["resourceLabels"]["prestoctl-run"]
    assert live.probe("diff", live.path, data=json.dumps(body)) == {"changes": []}
