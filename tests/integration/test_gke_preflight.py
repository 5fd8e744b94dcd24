"""What must be true before a GKE cluster is made: `plan` and `up` find it out by looking, and write nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "peers" / "google"))
sys.path.insert(0, str(TOP / "tests"))
sys.dont_write_bytecode = True

from client import Google               # noqa: E402  pylint: disable=wrong-import-position
from conftest import BUILD              # noqa: E402  pylint: disable=wrong-import-position

CI = "ci@demo-proj.iam.gserviceaccount.com"
SMALL = "{worker: {count: 2, memoryAllocation: 4Gi, cpuRequest: 1}, coordinator: {memoryAllocation: 4Gi, cpuRequest: 1}}"


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    with Google(tmp_path_factory.mktemp("google"), scale=300) as google:
        yield google


class Run:
    """prestoctl with an environment file of one cluster.gke."""

    def __init__(self, google, home):
        self.google, self.home = google, home

    def __call__(self, gke, *argv, command="plan", rc=0, presto=SMALL, credential="sa", **env):
        path = self.home / "env.yaml"
        path.write_text("apiVersion: prestoctl/v1\nkind: Environment\nname: demo\ncluster:\n  provider: gke\n"
                        f"  gke: {gke}\noperator: {{image: registry.example/presto-operator:1}}\n"
                        f"presto: {{metadata: {{name: p}}, spec: {presto}}}\n")
        done = subprocess.run([BUILD / "prestoctl", command, "-f", path, *argv], capture_output=True, text=True, timeout=60,
                              env=self.google.env(self.home, credential=credential, XDG_STATE_HOME=self.home / "state", **env),
                              check=False)
        assert done.returncode == rc, done.stdout + done.stderr
        assert not self.google.secrets_in(done.stdout + done.stderr)
        # Not even a failure leaves anything behind.
        assert self.google.writes() == [] and self.google.ledger()["empty"]
        return done

    def json(self, gke, **more):
        """The cluster in a plan, and the error (None without one)."""
        done = self(gke, "--output", "json", **more)
        error = [json.loads(line) for line in done.stderr.splitlines() if '"event":"error"' in line]
        return json.loads(done.stdout)["cluster"], error[0] if error else None


@pytest.fixture(name="run")
def _run(server, tmp_path):
    server.reset()
    server.control("DELETE", "requests")
    server.control("DELETE", "faults")
    return Run(server, tmp_path)


def allow(google, *roles):
    google.configure(projects={"demo-proj": {"iam": {CI: list(roles)}}})


def quota(google, region, **limits):
    google.configure(projects={"demo-proj": {"quotas": {region: limits}}})


def rows(cluster):
    return {r["metric"]: (r["where"], r["needed"], r["available"], r["limit"], r["short"]) for r in cluster["quotas"]}


# All is well

def test_a_plan_shows_request_version_and_quotas_and_asks_little(run, server):
    cluster, error = run.json("{location: us-central1-a}")
    assert error is None and cluster["action"] == "make" and "problems" not in cluster and "warnings" not in cluster
    assert cluster["version"] == "1.32.4-gke.1415000"
    assert cluster["requests"][0]["method"] == "POST"
    assert cluster["requests"][0]["body"]["cluster"]["nodePools"][0]["initialNodeCount"] == 3
    assert rows(cluster) == {
        "CPUS": ("us-central1", 12, 72, 72, False), "CPUS_ALL_REGIONS": ("project", 12, 96, 96, False),
        "INSTANCES": ("us-central1", 3, 720, 720, False), "IN_USE_ADDRESSES": ("us-central1", 3, 69, 69, False),
        "SSD_TOTAL_GB": ("us-central1", 150, 4096, 4096, False)}
    # A look at the cluster, two APIs, rights, two of quotas, what is offered, one machine type.
    assert len([r for r in server.requests() if r["path"] != "/token"]) <= 8


def test_the_text_has_a_table(run):
    text = run("{location: us-central1-a}").stdout
    assert "\nKubernetes 1.32.4-gke.1415000\n" in text
    assert "requests (--output json shows their bodies)\n  POST   http" in text
    assert "quota              where                       needed      left     limit\n" in text
    assert "SSD_TOTAL_GB       us-central1                    150      4096      4096\n" in text


def test_a_region_counts_each_of_its_zones(run):
    cluster, _ = run.json("{location: us-central1, nodePools: [{name: w, count: 2, machineType: n2-standard-4}]}")
    assert rows(cluster)["N2_CPUS"][1] == 24 and rows(cluster)["INSTANCES"][1] == 6
    cluster, _ = run.json("{location: us-central1, nodePools: [{name: w, count: 2}], "
                          "advanced: {locations: [us-central1-b, us-central1-f]}}")
    assert rows(cluster)["INSTANCES"][1] == 4


def test_private_nodes_take_no_addresses(run, server):
    quota(server, "us-central1", IN_USE_ADDRESSES=2)
    gke = "{location: us-central1-a, controlPlaneRange: 172.16.0.0/28, privateNodes: %s}"
    assert "IN_USE_ADDRESSES" not in rows(run.json(gke % "true")[0])
    cluster, error = run.json("{location: us-central1-a}", rc=5)
    assert rows(cluster)["IN_USE_ADDRESSES"] == ("us-central1", 3, 2, 2, True)
    assert error["code"] == "quota" and "IN_USE_ADDRESSES in us-central1: 3 needed, 2 left" in error["message"]


def test_autopilot_has_no_pools_to_count(run, server):
    cluster, error = run.json("{location: us-central1, mode: autopilot}")
    assert error is None and cluster.get("quotas", []) == []
    assert not [r for r in server.requests() if "machineTypes" in r["path"]]


# Quotas

def test_what_is_short_is_one_table(run, server):
    quota(server, "us-central1", SSD_TOTAL_GB=500, CPUS=24)
    done = run("{location: us-central1, nodePools: [{name: w, count: 3, diskSizeGb: 100}]}", rc=5)
    assert "error: not enough quota in project demo-proj: CPUS in us-central1: 36 needed, 24 left, and more" in done.stderr
    assert "CPUS               us-central1                     36        24        24  short by 12\n" in done.stderr
    assert "SSD_TOTAL_GB       us-central1                    900       500       500  short by 400\n" in done.stderr
    assert "INSTANCES" not in done.stderr and "INSTANCES" in done.stdout
    assert "https://console.cloud.google.com/iam-admin/quotas?project=demo-proj" in done.stderr
    assert "up would stop at the first problem" in done.stdout


def test_what_others_use_is_not_left(run, server):
    quota(server, "us-central1", SSD_TOTAL_GB=500)
    server.control("POST", "objects", {"project": "demo-proj", "scope": "zones/us-central1-b", "kind": "disks",
                                       "name": "old", "body": {"sizeGb": "400", "type": "pd-ssd"}})
    run.google = Ledgerless(server)
    cluster, error = run.json("{location: us-central1-a}", rc=5)
    assert rows(cluster)["SSD_TOTAL_GB"] == ("us-central1", 150, 100, 500, True) and error["exit"] == 5


class Ledgerless:
    """A stand-in in which something is there from the start."""

    def __init__(self, google):
        self.google = google

    def __getattr__(self, name):
        return getattr(self.google, name)

    def ledger(self):
        return {"empty": True}


@pytest.mark.parametrize("pool, limits, metric", [
    ("machineType: n2-standard-8", {"N2_CPUS": 16}, "N2_CPUS"),
    ("machineType: n1-standard-8", {"CPUS": 16}, "CPUS"),
    ("spot: true", {"PREEMPTIBLE_CPUS": 4}, "PREEMPTIBLE_CPUS"),
    ("spot: true", {"PREEMPTIBLE_CPUS": 0, "CPUS": 8}, "CPUS"),
    ("diskType: pd-standard", {"DISKS_TOTAL_GB": 100}, "DISKS_TOTAL_GB"),
    ("diskType: pd-ssd", {"SSD_TOTAL_GB": 100}, "SSD_TOTAL_GB"),
    ("count: 4", {"INSTANCES": 3}, "INSTANCES"),
])
def test_each_quota_is_found_short(run, server, pool, limits, metric):
    quota(server, "us-central1", **limits)
    cluster, error = run.json(f"{{location: us-central1-a, nodePools: [{{name: w, {pool}}}]}}", rc=5)
    assert [m for m, r in rows(cluster).items() if r[4]] == [metric]
    assert error["code"] == "quota" and f"{metric} in us-central1" in error["message"]


def test_the_quota_of_all_regions_is_the_project_s(run, server):
    quota(server, "global", CPUS_ALL_REGIONS=8)
    cluster, error = run.json("{location: us-central1-a}", rc=5)
    assert rows(cluster)["CPUS_ALL_REGIONS"] == ("project", 12, 8, 8, True) and "in project: 12 needed" in error["message"]


def test_of_fallback_zones_the_one_about_to_be_used_counts(run, server):
    quota(server, "us-east1", CPUS=1)
    run("{location: [us-central1-a, us-east1-b]}")
    assert "us-east1" not in " ".join(r["path"] for r in server.requests())
    quota(server, "us-central1", CPUS=1)
    run("{location: [us-central1-a, us-west1-a]}", rc=5)


def test_autoscaling_that_cannot_reach_its_end_is_a_warning(run, server):
    quota(server, "us-central1", CPUS=24)
    cluster, error = run.json("{location: us-central1-a, nodePools: [{name: w, count: 3, autoscaling: {min: 1, max: 9}}]}")
    assert error is None
    assert cluster["warnings"] == ["autoscaling will stop short of its maximum: that needs 36 of CPUS in us-central1, and "
                                   "24 are left"]


# Rights

def test_all_missing_rights_are_told_at_once_with_their_role(run, server):
    allow(server, "roles/viewer")
    done = run("{location: us-central1-a}", rc=4)
    assert f"error: {CI} lacks 12 permissions in project demo-proj" in done.stderr
    for permission in ("container.clusters.create", "container.clusters.delete", "container.roles.create"):
        assert f"missing: {permission} (roles/container.admin)\n" in done.stderr
    assert f"gcloud projects add-iam-policy-binding demo-proj --member serviceAccount:{CI} --role roles/container.admin" \
        in done.stderr


def test_who_may_make_clusters_but_nothing_in_them_is_told(run, server):
    allow(server, "roles/container.clusterAdmin", "roles/compute.viewer")
    done = run("{location: us-central1-a}", rc=4)
    assert "missing: container.roles.escalate (roles/container.admin)" in done.stderr
    assert "container.clusters" not in done.stderr


def test_without_rights_of_compute_it_goes_on_and_says_what_is_not_known(run, server):
    allow(server, "roles/container.admin")
    cluster, error = run.json("{location: us-central1-a}")
    assert error is None and "quotas" not in cluster and cluster["version"]
    told = "\n".join(cluster["warnings"])
    assert "lacks compute.projects.get, compute.regions.get, compute.machineTypes.get (roles/compute.viewer): quotas" in told
    assert "compute.disks.list" in told and "iam.serviceAccounts.actAs" in told
    assert not server.requests(service="compute")


def test_a_registry_needs_rights_of_its_own(run, server):
    gke = "{location: us-central1-a, registry: {repository: images}}"
    roles = ["roles/container.admin", "roles/compute.viewer", "roles/iam.serviceAccountUser"]
    allow(server, *roles)
    assert "missing: artifactregistry.repositories.uploadArtifacts (roles/artifactregistry.admin)" in run(gke, rc=4).stderr
    allow(server, *roles, "roles/artifactregistry.writer")
    cluster, error = run.json(gke)
    assert error is None and "the repository of images cannot be made when it is absent" in cluster["warnings"][0]
    allow(server, *roles, "roles/artifactregistry.admin")
    assert "warnings" not in run.json(gke)[0]


def test_rights_that_nobody_can_tell_are_a_warning(run, server):
    server.fault(preset="denied", match={"path": "*:testIamPermissions"}, times=0)
    cluster, error = run.json("{location: us-central1-a}")
    assert error is None and "whether all rights are there is not known: " in cluster["warnings"][0]


# APIs

@pytest.mark.parametrize("gke, off, name", [
    ("{location: us-central1-a}", "compute", "Compute Engine"),
    ("{location: us-central1-a, registry: {repository: images}}", "artifactregistry", "Artifact Registry"),
])
def test_an_api_that_is_off_is_named_with_its_command(run, server, gke, off, name):
    server.configure(projects={"demo-proj": {"services": {f"{off}.googleapis.com": "DISABLED"}}})
    try:
        done = run(gke, rc=4)
    finally:
        server.configure(projects={"demo-proj": {"services": {f"{off}.googleapis.com": "ENABLED"}}})
    assert f"error: not enabled in project demo-proj: {name} API" in done.stderr
    assert f"gcloud services enable {off}.googleapis.com --project demo-proj" in done.stderr
    assert f"https://console.cloud.google.com/apis/library/{off}.googleapis.com?project=demo-proj" in done.stderr
    assert not [r for r in server.requests() if r["status"] == 403]


def test_without_kubernetes_engine_the_first_look_tells(run):
    done = run("{project: off-proj, location: us-central1-a}", rc=4)
    assert "gcloud services enable container.googleapis.com --project off-proj" in done.stderr


# What does not exist

@pytest.mark.parametrize("gke, text, hint", [
    ("{location: us-central1-d}", 'there is no zone "us-central1-d"', "us-central1-a, us-central1-b, us-central1-c"),
    ("{location: us-centrall-a}", 'there is no region "us-centrall"', 'did you mean "us-central1"?'),
    ("{location: mars-north7}", 'there is no region "mars-north7"', "there are us-central1"),
    ("{location: us-central1, advanced: {locations: [us-east1-b]}}", 'there is no zone "us-east1-b"', "us-central1-a"),
    ("{location: us-central1-a, version: '1.33'}", 'no version "1.33" in the release channel regular',
     "releaseChannel: rapid has it; nearest here: 1.32.4-gke.1415000"),
    ("{location: us-central1-a, version: 1.32.99}", 'no version "1.32.99"', "nearest: 1.32.4-gke.1415000"),
    ("{location: us-central1-a, releaseChannel: none, version: '1.20'}", 'no version "1.20"', "nearest: 1.30.12-gke.1086000"),
    ("{location: us-central1-a, nodePools: [{name: w, machineType: e2-standard-5}]}",
     'there is no machine type "e2-standard-5" in us-central1-a', "gcloud compute machine-types list"),
])
def test_what_does_not_exist_is_named_with_what_does(run, gke, text, hint):
    cluster, error = run.json(gke, rc=1)
    assert text in error["message"] and hint in error["hint"] and error["code"] == "invalid"
    assert cluster["problems"][0]["text"] == error["message"]


@pytest.mark.parametrize("gke, version", [
    ("{location: us-central1-a, version: '1.31'}", None),
    ("{location: us-central1-a, releaseChannel: stable, version: '1.31'}", "1.31.8-gke.1113000"),
    ("{location: us-central1-a, releaseChannel: rapid, version: latest}", "1.33.1-gke.1386000"),
    ("{location: us-central1-a, releaseChannel: none, version: 1.31.9}", "1.31.9-gke.1044000"),
])
def test_an_alias_is_shown_as_the_version_it_stands_for(run, gke, version):
    cluster, _ = run.json(gke, rc=0 if version else 1)
    assert cluster.get("version") == version


# Room

@pytest.mark.parametrize("pools, presto, text", [
    ("[{name: w}]", "{worker: {memoryAllocation: 15Gi, cpuRequest: 1}, coordinator: {memoryAllocation: 1Gi, cpuRequest: 1}}",
     "no node would be large enough: a worker asks for 15Gi of memory and 1 CPU; the nodes have: w (e2-standard-4) 13.3Gi"),
    ("[{name: w}]", "{worker: {memoryAllocation: 1Gi, cpuRequest: 4}, coordinator: {memoryAllocation: 1Gi, cpuRequest: 1}}",
     "no node would be large enough: a worker asks for 1Gi of memory and 4 CPU"),
    ("[{name: w, count: 1}]", SMALL.replace("count: 2", "count: 5"), "the nodes together would not be large enough"),
    ("[{name: w, taints: [{key: a, value: b, effect: NoSchedule}]}]", SMALL, "every node pool has a taint"),
])
def test_pods_that_will_never_fit_are_told_before_anything_is_made(run, pools, presto, text):
    cluster, error = run.json(f"{{location: us-central1-a, nodePools: {pools}}}", presto=presto, rc=5)
    assert text in error["message"] and error["code"] == "quota" and cluster["problems"][0]["text"] == error["message"]


def test_a_node_that_is_all_presto_s_is_a_warning(run):
    presto = "{worker: {memoryAllocation: 13Gi, cpuRequest: 3900m}, coordinator: {memoryAllocation: 1Gi, cpuRequest: 1}}"
    cluster, error = run.json("{location: us-central1-a}", presto=presto)
    assert error is None and "leave too little for what GKE itself runs" in cluster["warnings"][0]


# What goes wrong on the way

@pytest.mark.parametrize("preset", ["unavailable", "unavailable-html", "bad-gateway", "reset-before", "half", "rate-info"])
@pytest.mark.parametrize("path", ["*/regions/us-central1", "*/serverConfig", "*:testIamPermissions"])
def test_passing_failures_are_passed_over(run, server, preset, path):
    server.fault(preset=preset, match={"path": path}, times=1)
    cluster, error = run.json("{location: us-central1-a}")
    assert error is None and len(cluster["quotas"]) == 5 and "warnings" not in cluster


@pytest.mark.parametrize("path, known", [("*/compute/v1/projects/demo-proj", "quotas are not known: "),
                                         ("*/machineTypes/*", "how large the machines are is not known: "),
                                         ("*/services/*", None)])
def test_a_proxy_that_answers_pages_is_a_warning(run, server, path, known):
    server.fault(status=403, body="<html><title>Blocked</title><p>no</html>", match={"path": path}, times=0)
    cluster, error = run.json("{location: us-central1-a}")
    assert error is None and cluster["version"]
    if known:
        assert known in cluster["warnings"][0] and "Blocked" in cluster["warnings"][0]
        assert "<" not in cluster["warnings"][0]


def test_a_page_where_an_answer_should_be_ends_it_only_for_the_api_that_makes_clusters(run, server):
    server.fault(preset="html-ok", match={"path": "*/regions/us-central1"}, times=0)
    cluster, error = run.json("{location: us-central1-a}")
    assert error is None and "quotas are not known: " in cluster["warnings"][0] and "quotas" not in cluster
    server.fault(preset="html-ok", match={"path": "*/serverConfig"}, times=0)
    assert "asking what us-central1-a offers" in run("{location: us-central1-a}", rc=1).stderr


def test_an_api_that_stays_away_ends_at_the_time_out(run, server):
    server.fault(preset="unavailable", match={"path": "*/serverConfig"}, times=0)
    done = run("{location: us-central1-a}", "--timeout", "3s", rc=3)
    assert "asking what us-central1-a offers" in done.stderr


def test_a_credential_that_ends_is_no_warning(run, server):
    server.fault(preset="unauthenticated", match={"path": "*:testIamPermissions"}, times=0)
    assert "prestoctl auth status" in run("{location: us-central1-a}", rc=4).stderr


# up

def test_up_stops_before_the_first_write(run, server):
    quota(server, "us-central1", CPUS=8)
    done = run("{location: us-central1-a}", command="up", rc=5)
    assert "not enough quota in project demo-proj: CPUS in us-central1: 12 needed, 8 left" in done.stderr
    assert "CPUS               us-central1                     12         8         8  short by 4" in done.stderr


@pytest.mark.parametrize("gke, token, message", [
    ("{}", False, "no location is given"), ("{location: us-central1-a}", True, "no project is named")])
def test_what_neither_file_nor_login_say_is_a_mistake_of_the_file(run, gke, token, message):
    more = {"CLOUDSDK_CORE_PROJECT": "", **({"credential": "token"} if token else {})}
    done = run(gke, rc=2, **more)
    assert message in done.stderr and "set cluster.gke." in done.stderr
