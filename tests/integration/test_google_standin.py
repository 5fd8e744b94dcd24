"""tests/peers/google: the stand-in answers as Google does, by recorded shapes, by the API's schema, and by real clients."""

import base64
import concurrent.futures
import email.utils
import http.client
import http.server
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PEER = TOP / "tests" / "peers" / "google"
sys.path.insert(0, str(PEER))
sys.dont_write_bytecode = True

from client import Google               # noqa: E402  pylint: disable=wrong-import-position
from gcp import schema                  # noqa: E402  pylint: disable=wrong-import-position
from gcp.rsa import Key                 # noqa: E402  pylint: disable=wrong-import-position

RECORDED = json.loads((PEER / "recorded.json").read_text())
CLOUD = "https://www.googleapis.com/auth/cloud-platform"
EMAIL = "https://www.googleapis.com/auth/userinfo.email"
ACCOUNT = "ci@demo-proj.iam.gserviceaccount.com"
ZONE = "/v1/projects/demo-proj/locations/us-central1-a"
REGION = "/v1/projects/demo-proj/locations/us-central1"
COMPUTE = "/compute/v1/projects/demo-proj"
POOL = {"name": "default-pool", "initialNodeCount": 3, "config": {"oauthScopes": [CLOUD]}}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Google(tmp_path_factory.mktemp("google"), scale=100) as google:
        yield google
        errors = (google.folder / "standin.err").read_text()
    assert "Traceback" not in errors, errors


@pytest.fixture
def google(server):
    server.reset()
    server.control("POST", "clock", {"scale": 100})
    return server


def call(google, method, path, body=None, status=200, token=None, **headers):
    got, reply = google.http(method, path, body, token or google.token, headers.items())
    assert got == status, (method, path, got, reply)
    return reply


def advance(google, seconds=2000):
    google.control("POST", "clock", {"advance": seconds})


def create(google, name="demo", at=ZONE, status=200, **more):
    return call(google, "POST", f"{at}/clusters", {"cluster": {"name": name, "nodePools": [POOL], **more}}, status)


def cluster(google, name="demo", at=ZONE, status=200):
    return call(google, "GET", f"{at}/clusters/{name}", status=status)


def form(google, path, status=200, **fields):
    got, _, text = google.http("POST", path, urllib.parse.urlencode(fields).encode(), raw=True,
                               headers=[("Content-Type", "application/x-www-form-urlencoded")])
    assert got == status, (path, text)
    return json.loads(text)


def compared(want, have, path=""):
    """Each recorded field is there and has the recorded type; of a list, one item fits the recorded one."""
    if isinstance(want, dict):
        if not isinstance(have, dict):
            return [f"{path}: {type(have).__name__} instead of an object"]
        return [line for key, inner in want.items() for line in (
            compared(inner, have[key], f"{path}.{key}") if key in have else [f"{path}.{key} is missing"])]
    if isinstance(want, list):
        if not isinstance(have, list) or want and not have:
            return [f"{path}: {have!r} instead of a list"]
        return min((compared(want[0], one, path + "[]") for one in have), key=len) if want else []
    kinds = {"bool": bool, "number": (int, float), "string": str, "null": type(None)}
    good = isinstance(have, kinds[want]) and (want == "bool" or not isinstance(have, bool))
    return [] if good else [f"{path}: {have!r} is no {want}"]


# Shapes

def test_answers_have_the_fields_and_types_that_were_recorded(google):
    operation, problems = "", []
    google.control("POST", "clock", {"scale": 0.001})
    for number, row in enumerate(RECORDED["rows"]):
        if row.get("later"):
            advance(google)
        method, path = row["request"].split(" ")
        if path.endswith("/wait"):
            advance(google)
        body = row.get("body")
        if body:
            body = json.loads(json.dumps(body).replace("{base}", google.plain))
        status, reply = google.http(method, path.replace("{operation}", operation), body, google.token)
        if status != row["status"]:
            problems.append(f"{number} {row['request']}: {status} instead of {row['status']}: {reply}")
            continue
        if isinstance(reply, dict) and str(reply.get("name", "")).startswith("operation-"):
            operation = reply["name"]
        problems += [f"{number} {row['request']}: {p}" for p in compared(row["shape"], reply)]
    google.control("POST", "clock", {"scale": 100})
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(("name", "preset"), [
    ("403 quota", "quota"), ("503 unavailable", "unavailable"), ("429 rate", "rate"), ("401 unauthenticated",
                                                                                     "unauthenticated")])
def test_scripted_errors_have_the_recorded_shapes(google, name, preset):
    google.fault(preset=preset)
    status, reply = google.http("GET", f"{ZONE}/clusters", token=google.token)
    assert (status, compared(RECORDED["errors"][name], reply)) == (int(name[:3]), [])


def test_replies_are_what_the_schema_of_the_api_allows(google):
    op = create(google, resourceLabels={"owner": "ci"})
    seen = [("Operation", op), ("Cluster", cluster(google))]
    advance(google, 310)
    seen += [("Operation", call(google, "GET", f"{ZONE}/operations/{op['name']}")), ("Cluster", cluster(google)),
             ("ListClustersResponse", call(google, "GET", "/v1/projects/demo-proj/locations/-/clusters")),
             ("ListNodePoolsResponse", call(google, "GET", f"{ZONE}/clusters/demo/nodePools")),
             ("ListOperationsResponse", call(google, "GET", f"{ZONE}/operations")),
             ("ServerConfig", call(google, "GET", f"{ZONE}/serverConfig"))]
    assert [p for name, body in seen for p in schema.types(name, body)] == []


# Clusters

def test_a_cluster_goes_from_no_endpoint_to_reconciling_to_running(google):
    google.control("POST", "clock", {"scale": 0.001})
    assert call(google, "GET", "/v1/projects/empty-proj/locations/-/clusters") == {}
    op = create(google)
    seen = [(cluster(google)["status"], "endpoint" in cluster(google))]
    shares = []
    for seconds in (100, 50, 140, 11, 30):
        advance(google, seconds)
        body, now = cluster(google), call(google, "GET", f"{ZONE}/operations/{op['name']}")
        seen.append((body["status"], "endpoint" in body))
        metrics = {m["name"]: int(m["intValue"]) for m in now["progress"]["metrics"]}
        total = sum(v for k, v in metrics.items() if k.endswith("_TOTAL"))
        shares.append((now["status"], round((sum(metrics.values()) - total) / total, 2)))
    assert seen == [("PROVISIONING", False)] * 2 + [("PROVISIONING", True)] * 2 + [("RECONCILING", True), ("RUNNING", True)]
    assert [s for s, _ in shares] == ["RUNNING"] * 3 + ["DONE"] * 2
    assert shares == sorted(shares, key=lambda s: s[1]) and shares[-1][1] == 0.95    # never all of it
    body = cluster(google)
    assert op["selfLink"].endswith(f"/v1/projects/123456789/zones/us-central1-a/operations/{op['name']}")
    assert body["nodePools"][0]["maxPodsConstraint"] == {"maxPodsPerNode": "110"} and body["autopilot"] == {}
    assert b"BEGIN CERTIFICATE" in base64.b64decode(body["masterAuth"]["clusterCaCertificate"])


def test_one_operation_at_a_time_and_a_lost_reply_is_a_409(google):
    google.control("POST", "clock", {"scale": 0.001})
    first = create(google)["name"]
    assert create(google, status=409)["error"]["status"] == "ALREADY_EXISTS"
    for method, path in (("DELETE", f"{ZONE}/clusters/demo"), ("DELETE", f"{ZONE}/clusters/demo/nodePools/default-pool")):
        error = call(google, method, path, status=400)["error"]
        assert error["status"] == "FAILED_PRECONDITION" and error["message"].endswith(f"incompatible operation {first}.")
    advance(google)
    call(google, "DELETE", f"{ZONE}/clusters/demo")
    assert cluster(google)["status"] == "STOPPING"
    call(google, "DELETE", f"{ZONE}/clusters/demo", status=400)
    advance(google)
    cluster(google, status=404)
    assert google.ledger()["empty"]


def test_node_pools_change_in_the_ledger(google):
    def pools():
        (one,) = google.ledger()["projects"]["demo-proj"]["clusters"]
        return {k: v["nodesPerZone"] for k, v in one["nodePools"].items()}

    create(google, at=REGION)
    advance(google)
    at = f"{REGION}/clusters/demo/nodePools"
    steps = [
        ("POST", at, {"nodePool": {"name": "extra", "initialNodeCount": 1}}, {"default-pool": 3, "extra": 1}),
        ("POST", f"{at}/extra:setSize", {"nodeCount": 2}, {"default-pool": 3, "extra": 2}),
        ("POST", f"{at}/extra:setAutoscaling", {"autoscaling": {"enabled": True, "minNodeCount": 3, "maxNodeCount": 4}},
         {"default-pool": 3, "extra": 3}),
        ("POST", f"{at}/extra:setManagement", {"management": {"autoRepair": True}}, {"default-pool": 3, "extra": 3}),
        ("DELETE", f"{at}/default-pool", None, {"extra": 3})]
    for method, path, body, want in steps:
        call(google, method, path, body)
        assert cluster(google, at=REGION)["status"] == "RECONCILING"
        advance(google)
        assert pools() == want
    assert call(google, "GET", f"{at}/extra")["management"] == {"autoRepair": True}
    compute = google.ledger()["projects"]["demo-proj"]["compute"]
    assert len(compute["instances"]) == 9 and {i["scope"] for i in compute["instances"]} == {
        f"zones/us-central1-{z}" for z in "abc"}


def test_updates_are_one_aspect_each_and_labels_need_the_fingerprint(google):
    create(google, resourceLabels={"a": "b"})
    advance(google)
    at = f"{ZONE}/clusters/demo"
    call(google, "PUT", at, {"update": {"desiredNodeVersion": "-", "desiredMasterVersion": "latest"}}, 400)
    for update, path, want in (
            ({"desiredMasterVersion": "1.33"}, ("currentMasterVersion",), "1.33.1-gke.1386000"),
            ({"desiredControlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": True}}},
             ("controlPlaneEndpointsConfig", "dnsEndpointConfig", "allowExternalTraffic"), True),
            ({"desiredReleaseChannel": {"channel": "RAPID"}}, ("releaseChannel", "channel"), "RAPID")):
        call(google, "PUT", at, {"update": update})
        advance(google)
        value = cluster(google)
        for piece in path:
            value = value[piece]
        assert value == want
    old = cluster(google)["labelFingerprint"]
    call(google, "POST", f"{at}:setResourceLabels", {"resourceLabels": {"c": "d"}, "labelFingerprint": old})
    advance(google)
    assert cluster(google)["resourceLabels"] == {"c": "d"}      # replaced, not merged
    call(google, "POST", f"{at}:setResourceLabels", {"resourceLabels": {}, "labelFingerprint": old}, 412)


BAD = [
    ({"name": "UPPER_bad"}, "Must be a match of regex"),
    ({"name": "x" * 41}, "Must be a match of regex"),
    ({"nodePool": []}, "Unknown name \"nodePool\" at 'cluster'"),
    ({"nodePools": [{**POOL, "initialNodeCount": True}]}, "TYPE_INT32"),
    ({"nodePools": [POOL], "initialNodeCount": 1}, "exclusive"),
    ({"nodePools": []}, "greater than zero"),
    ({"nodePools": [{**POOL, "config": {"machineType": "z9-huge"}}]}, "does not exist"),
    ({"nodePools": [{**POOL, "autoscaling": {"enabled": True, "maxNodeCount": 2, "totalMaxNodeCount": 3}}]}, "not both"),
    ({"autopilot": {"enabled": True}}, "must be regional"),
    ({"networkConfig": {"datapathProvider": "ADVANCED_DATAPATH"}, "networkPolicy": {"enabled": True}}, "NetworkPolicy"),
    ({"resourceLabels": {"expires-at": "12:30"}}, "is not valid"),
    ({"initialClusterVersion": "1.99"}, "unsupported"),
    ({"locations": ["us-east1-b"]}, "is not a zone of us-central1"),
    ({"workloadIdentityConfig": {"workloadPool": "x.svc.id.goog"}}, "workload pool must be demo-proj"),
]


@pytest.mark.parametrize(("change", "text"), BAD, ids=[t for _, t in BAD])
def test_what_the_api_would_refuse_is_refused(google, change, text):
    assert text in create(google, **change, status=400)["error"]["message"]
    assert google.ledger()["empty"]


def test_unknown_places_and_projects_and_disabled_apis_are_403(google):
    body = {"cluster": {"name": "demo", "nodePools": [POOL]}}
    for path, text in (("projects/demo-proj/locations/mars-1", "Permission denied on 'locations/mars-1'"),
                       ("projects/nosuch/locations/us-central1-a", "Permission denied on resource project nosuch"),
                       ("projects/off-proj/locations/us-central1-a", "has not been used in project off-proj before")):
        error = call(google, "POST", f"/v1/{path}/clusters", body, 403)["error"]
        assert text in error["message"]
    assert compared(RECORDED["errors"]["403 disabled"], {"error": error}) == []
    assert error["details"][1]["reason"] == "SERVICE_DISABLED"
    at = "/v1/projects/off-proj/services/container.googleapis.com"
    assert call(google, "GET", at)["state"] == "DISABLED"
    call(google, "POST", f"{at}:enable", {})
    assert call(google, "GET", "/v1/projects/off-proj/locations/us-central1-a/clusters") == {}
    call(google, "POST", f"{at}:disable", {})


@pytest.mark.parametrize(("outcome", "has", "code"), [
    ("stockout", {"error", "statusMessage", "clusterConditions"}, "GCE_STOCKOUT"),
    ("quota", {"error", "clusterConditions"}, "GCE_QUOTA_EXCEEDED"),
    ("nodes", {"error", "statusMessage"}, None),
    ("nodes-error-only", {"error"}, None),
    ("account-conditions-only", {"clusterConditions"}, "GKE_SERVICE_ACCOUNT_DELETED")])
def test_done_does_not_mean_success(google, outcome, has, code):
    google.plan(match={"type": "CREATE_CLUSTER", "location": "us-central1-a"}, outcome=outcome, seconds=1)
    op = create(google)
    advance(google)
    body = call(google, "GET", f"{ZONE}/operations/{op['name']}")
    assert body["status"] == "DONE" and has == {"error", "statusMessage", "clusterConditions"} & set(body)
    assert schema.types("Operation", body) == []
    failed = cluster(google)
    assert failed["status"] == "ERROR" and [c["code"] for c in failed.get("conditions", [])] == ([code] if code else [])
    create(google, at=ZONE.replace("-a", "-b"))         # only that zone, and only once
    advance(google)
    call(google, "DELETE", f"{ZONE}/clusters/demo")
    advance(google)
    cluster(google, status=404)


def test_an_operation_can_be_hidden_stuck_and_cancelled(google):
    google.plan(match={"type": "CREATE_CLUSTER"}, hide=2, stuck=True)
    at = f"{ZONE}/operations/{create(google)['name']}"
    assert [google.http("GET", at, token=google.token)[0] for _ in range(3)] == [404, 404, 200]
    advance(google, 10 ** 6)
    assert call(google, "GET", at)["status"] == "RUNNING"
    assert call(google, "POST", f"{at}:cancel", {}) == {}
    assert call(google, "GET", at)["status"] == "ABORTING"
    advance(google)
    assert call(google, "GET", at)["error"]["code"] == 1


def test_a_hundred_creates_at_once_make_one_cluster(google):
    def one(_):
        return google.http("POST", f"{ZONE}/clusters", {"cluster": {"name": "demo", "nodePools": [POOL]}}, google.token)[0]

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert sorted(pool.map(one, range(100))) == [200] + [409] * 99
    assert len([w for w in google.writes() if w["effect"]]) == 1


# Quotas, compute

def test_quotas_count_what_exists_and_say_each_one_that_is_short(google):
    google.configure(projects={"demo-proj": {"quotas": {"us-central1": {"CPUS": 8, "SSD_TOTAL_GB": 500,
                                                                        "IN_USE_ADDRESSES": 8}}}})
    text = create(google, at=REGION, status=403)["error"]["message"]
    lines = [line for line in text.split("\n\t") if line]
    assert [line[:4] for line in lines] == ["(1) ", "(2) ", "(3) "]
    assert "resource \"CPUS\": request requires '18.0' and is short '10.0'. project has a quota of '8.0' with " \
           "'8.0' available." in lines[0]
    assert "'900.0' and is short '400.0'" in lines[2]
    create(google)
    usage = {q["metric"]: q["usage"] for q in call(google, "GET", f"{COMPUTE}/regions/us-central1")["quotas"]}
    assert (usage["CPUS"], usage["IN_USE_ADDRESSES"], usage["SSD_TOTAL_GB"], usage["INSTANCES"]) == (6, 3, 300, 3)
    everywhere = {q["metric"]: q["usage"] for q in call(google, "GET", COMPUTE)["quotas"]}
    assert everywhere["CPUS_ALL_REGIONS"] == 6 and everywhere["FIREWALLS"] == 3
    error = create(google, "two", status=403, nodePools=[{**POOL, "initialNodeCount": 2}])["error"]
    assert error["message"].startswith("Insufficient regional quota") and error["status"] == "PERMISSION_DENIED"


def test_a_deleted_cluster_leaves_what_its_controllers_made(google):
    create(google)
    advance(google)
    where = {"project": "demo-proj", "location": "us-central1-a", "cluster": "demo"}
    services = [{"uid": "6f1b1c9e-0000-4000-8000-00000000000a", "name": "presto", "address": True},
                {"uid": "6f1b1c9e-0000-4000-8000-00000000000b", "name": "inner", "kind": "internal"},
                {"uid": "6f1b1c9e-0000-4000-8000-00000000000c", "name": "web", "kind": "neg"},
                {"uid": "6f1b1c9e-0000-4000-8000-00000000000d", "name": "edge", "kind": "ingress"}]
    made = google.control("POST", "workloads", {**where, "services": services, "volumes": [
        {"pv": "pvc-1", "claim": "data"}, {"pv": "pvc-2", "labels": False}]})
    assert made["volumes"][0] == "projects/demo-proj/zones/us-central1-a/disks/pvc-1"
    google.control("DELETE", "workloads", {**where, "volumes": [{"pv": "pvc-2"}]})
    pool = f"{COMPUTE}/regions/us-central1/targetPools/a6f1b1c9e00004000800000000000000"
    assert call(google, "DELETE", pool, status=400)["error"]["errors"][0]["reason"] == "resourceInUseByAnotherResource"
    call(google, "DELETE", f"{COMPUTE}/zones/us-central1-a/disks/pvc-1", status=400)
    call(google, "DELETE", f"{ZONE}/clusters/demo")
    advance(google)
    left = google.ledger()["projects"]["demo-proj"]["compute"]
    assert {k: len(v) for k, v in left.items()} == {
        "addresses": 1, "backendServices": 2, "disks": 1, "firewalls": 3, "forwardingRules": 3, "healthChecks": 2,
        "httpHealthChecks": 1, "networkEndpointGroups": 3, "targetHttpProxies": 1, "targetPools": 1, "urlMaps": 1}
    for kind in ("forwardingRules", "targetHttpProxies", "urlMaps", "targetPools", "backendServices", "healthChecks", "httpHealthChecks",
                 "networkEndpointGroups", "firewalls", "addresses", "disks"):
        for one in left[kind]:
            call(google, "DELETE", f"{COMPUTE}/{one['scope']}/{kind}/{one['name']}")
        advance(google, 10)
    assert google.ledger()["empty"]


def test_aggregated_lists_have_pages_filters_and_warnings(google):
    for number in range(5):
        google.control("POST", "objects", [{"project": "demo-proj", "scope": f"zones/us-central1-{'ab'[number % 2]}",
                                            "kind": "disks", "name": f"d{number}", "body": {
                                                "sizeGb": "10", "type": "pd-ssd", "labels": {"n": str(number % 2)}}}])
    at = f"{COMPUTE}/aggregated/disks?maxResults=2&returnPartialSuccess=true"
    names, token = [], ""
    for _ in range(3):
        body = call(google, "GET", f"{at}&pageToken={token}")
        names += [d["name"] for z in body["items"].values() for d in z.get("disks", [])]
        token = body.get("nextPageToken", "")
    assert sorted(names) == [f"d{n}" for n in range(5)] and not token
    only = call(google, "GET", f"{COMPUTE}/aggregated/disks?filter=labels.n%3D1&includeAllScopes=true")["items"]
    assert [d["name"] for d in only["zones/us-central1-b"]["disks"]] == ["d1", "d3"]
    assert only["zones/us-central1-a"]["warning"]["code"] == "NO_RESULTS_ON_PAGE"
    google.configure(unreachable=["us-central1-b"])
    body = call(google, "GET", at)
    assert body["unreachables"] == ["zones/us-central1-b"]
    assert body["items"]["zones/us-central1-b"]["warning"]["code"] == "UNREACHABLE"
    call(google, "GET", f"{COMPUTE}/aggregated/disks", status=503)


def test_compute_operations_fail_with_200_and_inserts_repeat_by_request_id(google):
    body = {"name": "d1", "sizeGb": "10", "type": "pd-ssd"}
    at = f"{COMPUTE}/zones/us-central1-a/disks?requestId=0b7c5d1e-1111-4222-8333-444455556666"
    first = call(google, "POST", at, body)
    assert call(google, "POST", at, body)["name"] == first["name"]
    call(google, "POST", at.split("?")[0], body, 409)
    google.plan(match={"type": "compute.delete"}, seconds=20, outcome={
        "code": "QUOTA_EXCEEDED", "message": "Quota 'X' exceeded."})
    op = call(google, "DELETE", at.split("?")[0] + "/d1")
    started = time.monotonic()
    done = call(google, "POST", f"{COMPUTE}/zones/us-central1-a/operations/{op['name']}/wait")
    assert done["status"] == "DONE" and done["error"]["errors"][0]["code"] == "QUOTA_EXCEEDED"
    assert 0.1 < time.monotonic() - started < 5 and not google.ledger()["empty"]


def test_artifact_registry_makes_lists_and_deletes_repositories(google):
    at = f"{REGION}/repositories"
    assert call(google, "GET", at) == {}
    op = call(google, "POST", f"{at}?repositoryId=images", {"format": "DOCKER"})
    assert "done" not in op
    call(google, "POST", f"{at}?repositoryId=images", {"format": "DOCKER"}, 409)
    advance(google, 10)
    assert call(google, "GET", f"/v1/{op['name']}")["response"]["format"] == "DOCKER"
    assert call(google, "GET", f"{at}/images")["registryUri"] == "us-central1-docker.pkg.dev/demo-proj/images"
    call(google, "DELETE", f"{at}/images")
    advance(google, 10)
    call(google, "GET", f"{at}/images", status=404)


# Tokens

def claims(google, **change):
    now = int(time.time())
    return {"iss": ACCOUNT, "scope": f"{CLOUD} {EMAIL}", "aud": f"{google.plain}/token", "iat": now,
            "exp": now + 3600, **change}


def signed(google, **change):
    return Key(Path(google.credentials["sa"]).parent / "sa.pem").jwt(claims(google, **change))


def bearer(google, assertion, status=200):
    return form(google, "/token", status, grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=assertion)


def test_signed_assertions_are_checked(google):
    for audience in (f"{google.plain}/token", "https://oauth2.googleapis.com/token"):
        reply = bearer(google, signed(google, aud=audience))
        assert compared(RECORDED["tokens"]["jwt"], reply) == [] and reply["expires_in"] in (3598, 3599, 3600)
    call(google, "GET", f"{ZONE}/clusters", token=reply["access_token"])
    assert "id_token" in bearer(google, signed(google, target_audience="x"))
    now, good = int(time.time()), signed(google)
    head, payload, signature = good.split(".")
    other = signed(google, iss="owner@demo-proj.iam.gserviceaccount.com").split(".")
    for assertion, error in (
            (f"{head}.{payload}.{'A' * len(signature)}", "Invalid JWT Signature"),
            (f"{head}.{other[1]}.{signature}", "account not found"),
            (f"{head}.{payload}.", "Invalid JWT Signature"),
            ("nonsense", "Failed to parse"),
            (signed(google, aud="https://example.com/token"), "audience"),
            (signed(google, iat=now - 7200, exp=now - 3600), "reasonable timeframe"),
            (signed(google, iat=now + 900, exp=now + 4500), "reasonable timeframe"),
            (signed(google, exp=now + 7200), "short-lived"),
            (signed(google, scope=""), "scope")):
        assert error in bearer(google, assertion, 400)["error_description"]


def test_a_clock_that_is_off_shows_in_the_date_and_fails_the_assertion(google):
    google.control("POST", "clock", {"skew": -3600})
    assert "reasonable timeframe" in bearer(google, signed(google), 400)["error_description"]
    head = google.http("GET", "/_control/ready", raw=True)[1]
    date = email.utils.parsedate_to_datetime(head["Date"]).timestamp()
    assert 3500 < time.time() - date < 3700


def test_refresh_exchange_and_impersonation(google):
    user = json.loads(Path(google.credentials["user"]).read_text())
    fields = {"grant_type": "refresh_token", **{k: user[k] for k in ("client_id", "client_secret", "refresh_token")}}
    assert compared(RECORDED["tokens"]["refresh"], form(google, "/token", **fields)) == []
    assert form(google, "/token", 401, **{**fields, "client_secret": "no"})["error"] == "invalid_client"
    google.control("POST", "users", {"email": "dev@example.com", "rapt": True})
    assert form(google, "/token", 400, **fields)["error_subtype"] == "invalid_rapt"
    google.control("POST", "users", {"email": "dev@example.com", "rapt": False, "revoked": True})
    assert form(google, "/token", 400, **fields)["error"] == "invalid_grant"
    google.control("POST", "users", {"email": "dev@example.com", "revoked": False})

    wif = json.loads(Path(google.credentials["wif-file"]).read_text())
    subject = Path(wif["credential_source"]["file"]).read_text()
    fields = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": wif["audience"], "scope": CLOUD,
              "requested_token_type": "urn:ietf:params:oauth:token-type:access_token", "subject_token": subject,
              "subject_token_type": wif["subject_token_type"]}
    federated = form(google, "/v1/token", **fields)
    assert compared(RECORDED["tokens"]["exchange"], federated) == []
    seen = form(google, "/v1/introspect", token=federated["access_token"])
    assert compared(RECORDED["tokens"]["introspect"], seen) == [] and seen["username"].endswith("repo:o/r:ref:refs/heads/main")
    assert form(google, "/v1/token", 400, **{**fields, "subject_token": "x"})["error"] == "invalid_grant"
    # What is exchanged directly dies with its subject token.
    status, brief = google.http("GET", "/subject-token.json", headers=[("Authorization", "bearer job-token")])
    assert status == 200 and form(google, "/v1/token", **{**fields, "subject_token": brief["value"]})["expires_in"] <= 300

    target = "/v1/projects/-/serviceAccounts/deploy@demo-proj.iam.gserviceaccount.com:generateAccessToken"
    body = {"scope": [CLOUD], "lifetime": "1800s", "delegates": []}
    got = call(google, "POST", target, body, token=federated["access_token"])
    assert compared(RECORDED["tokens"]["impersonate"], got) == []
    call(google, "GET", f"{ZONE}/clusters", token=got["accessToken"])
    call(google, "POST", target, {**body, "lifetime": "7200s"}, 400)
    google.configure(impersonation={"deploy@demo-proj.iam.gserviceaccount.com": ["a@x"], "a@x": ["dev@example.com"]})
    assert "getAccessToken" in call(google, "POST", target, body, 403)["error"]["message"]
    call(google, "POST", target, {**body, "delegates": ["projects/-/serviceAccounts/a@x"]})


def test_tokens_expire_and_need_scopes_rights_and_quota_projects(google):
    def token(**more):
        return google.control("POST", "tokens", {"principal": "a@b", **more})["access_token"]

    assert call(google, "GET", f"{ZONE}/clusters", status=401, token="ya29.none")["error"]["status"] == "UNAUTHENTICATED"
    assert google.http("GET", f"{ZONE}/clusters")[0] == 401
    late = token(lifetime=0.01)
    time.sleep(0.02)
    call(google, "GET", f"{ZONE}/clusters", status=401, token=late)
    narrow = call(google, "GET", f"{ZONE}/clusters", status=403, token=token(scopes=[EMAIL]))["error"]
    assert narrow["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
    asked = {"permissions": ["container.clusters.create", "container.clusters.get", "x.y"]}
    google.configure(projects={"other-proj": {"iam": {"user:a@b": ["roles/container.viewer"]}}})
    mine = token()
    at = "/v1/projects/other-proj"
    assert call(google, "POST", f"{at}:testIamPermissions", asked, token=mine) == {"permissions": ["container.clusters.get"]}
    assert call(google, "POST", f"{at}:testIamPermissions", asked) == {}
    call(google, "GET", f"{at}/locations/us-central1-a/clusters", token=mine)
    error = call(google, "POST", f"{at}/locations/us-central1-a/clusters", {"cluster": {"name": "c", "nodePools": [POOL]}},
                 403, mine)["error"]
    assert error["message"] == "Required \"container.clusters.create\" permission(s) for \"projects/other-proj\"."
    error = call(google, "GET", f"{ZONE}/clusters", status=403, token=mine, **{"X-Goog-User-Project": "other-proj"})["error"]
    assert error["details"][0]["reason"] == "USER_PROJECT_DENIED"


def test_the_webhook_knows_our_tokens_by_mail_or_by_number(google):
    def review(value, path=""):
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": value}}
        return google.http("POST", f"/k8s/tokenreview{path}", body)[1]["status"]

    full, plain = (google.control("POST", "tokens", {"principal": ACCOUNT, "scopes": s})["access_token"]
                   for s in ([CLOUD, EMAIL], [CLOUD]))
    assert review(full)["user"]["username"] == ACCOUNT and "system:masters" in review(full)["user"]["groups"]
    assert review(plain)["user"]["username"].isdigit()          # no binding by mail would match
    assert review("no") == {"authenticated": False}
    path = "/demo-proj/us-central1-a/demo"
    assert not review(full, path)["authenticated"]
    create(google)
    assert review(full, path)["authenticated"]


@pytest.mark.parametrize(("path", "want"), [
    ("/", "computeMetadata/\n"),
    ("/computeMetadata/v1/project/project-id", "demo-proj"),
    ("/computeMetadata/v1/project/numeric-project-id", "123456789"),
    ("/computeMetadata/v1/instance/service-accounts/", "default/\nsa@demo-proj.iam.gserviceaccount.com/\n"),
    ("/computeMetadata/v1/instance/service-accounts/default/email", "sa@demo-proj.iam.gserviceaccount.com"),
    ("/computeMetadata/v1/universe/universe-domain", "googleapis.com"),
    ("/computeMetadata/v1/instance/zone", "projects/123456789/zones/us-central1-a")])
def test_the_metadata_server_speaks_text(google, path, want):
    status, head, text = google.http("GET", path, headers=[("Metadata-Flavor", "Google")], raw=True)
    assert (status, text.decode(), head["Metadata-Flavor"]) == (200, want, "Google")
    if path != "/":
        assert google.http("GET", path)[0] == 403


def test_the_metadata_server_gives_tokens_and_json(google):
    flavor = [("Metadata-Flavor", "Google")]
    at = "/computeMetadata/v1/instance/service-accounts/default/"
    status, body = google.http("GET", f"{at}?recursive=true", headers=flavor)
    assert (status, compared(RECORDED["tokens"]["metadata account"], body)) == (200, [])
    status, body = google.http("GET", f"{at}token?scopes={CLOUD}", headers=flavor)
    assert (status, compared(RECORDED["tokens"]["metadata token"], body)) == (200, [])
    call(google, "GET", f"{ZONE}/clusters", token=body["access_token"])
    assert google.http("GET", f"{at}nothing", headers=flavor)[0] == 404
    assert google.http("GET", f"{at}email", headers=[*flavor, ("X-Forwarded-For", "1.2.3.4")])[0] == 403


# Faults, the log, listeners

def test_faults_come_at_their_request_and_no_other(google):
    google.fault(match={"method": "GET", "path": "*/clusters"}, nth=2, times=2, preset="rate")
    seen = [google.http("GET", f"{ZONE}/clusters", token=google.token, raw=True)[:2] for _ in range(4)]
    assert [s for s, _ in seen] == [200, 429, 429, 200] and seen[1][1]["Retry-After"] == "2"
    assert [e["fault"] for e in google.requests()] == [None, "rate", "rate", None]


@pytest.mark.parametrize(("rule", "error", "exists"), [
    ({"preset": "reset-before"}, OSError, False),
    ({"preset": "reset-after"}, OSError, True),
    ({"preset": "half"}, http.client.IncompleteRead, True),
    ({"preset": "hang", "hang": 0.2}, OSError, False),
    ({"preset": "unavailable"}, None, False),
    ({"preset": "lost-reply"}, None, True),
    ({"preset": "bad-gateway"}, None, False),
    ({"preset": "expired-token"}, None, False),
    ({"delay": 0.2}, None, True)])
def test_each_fault_has_or_has_not_its_effect(google, rule, error, exists):
    token = google.control("POST", "tokens", {"principal": "a@b"})["access_token"]
    google.fault(match={"method": "POST"}, **rule)
    body = {"cluster": {"name": "demo", "nodePools": [POOL]}}
    started = time.monotonic()
    if error:
        with pytest.raises(error):
            google.http("POST", f"{ZONE}/clusters", body, token)
    else:
        status, reply = google.http("POST", f"{ZONE}/clusters", body, token)
        want = {"unavailable": 503, "lost-reply": 503, "bad-gateway": 502, "expired-token": 401, None: 200}
        assert status == want[rule.get("preset")] and (status != 502 or reply.startswith("<!DOCTYPE"))
    assert time.monotonic() - started >= max(rule.get("delay", 0), rule.get("hang", 0))
    cluster(google, status=200 if exists else 404)
    assert google.writes()[0]["effect"] == exists


@pytest.mark.parametrize(("when", "exists"), [("before", False), ("after", True)])
def test_a_fault_can_kill_the_client_at_its_request(google, tmp_path, when, exists):
    google.fault(match={"method": "POST"}, signal={"pidFile": str(tmp_path / "pid"), "when": when})
    code = "import os,sys;sys.path.insert(0,sys.argv[1]);import urllib.request as u\n" \
           "u.urlopen(u.Request(sys.argv[2],data=sys.argv[3].encode(),headers={'Authorization':'Bearer '+sys.argv[4]}))"
    with subprocess.Popen([sys.executable, "-c", code, str(PEER), f"{google.plain}{ZONE}/clusters", json.dumps(
            {"cluster": {"name": "demo", "nodePools": [POOL]}}), google.token], env={"PATH": os.environ["PATH"]}) as p:
        (tmp_path / "pid").write_text(str(p.pid))
    assert p.returncode == -9
    time.sleep(0.1)
    cluster(google, status=200 if exists else 404)


def test_the_log_has_every_request_and_no_secret(google):
    test_refresh_exchange_and_impersonation(google)
    bearer(google, signed(google))
    create(google)
    text = google.log_path.read_text() + json.dumps(google.requests())
    assert google.secrets_in(text) == [] and len(google.control("GET", "secrets")["secrets"]) > 10
    made = google.requests(path="/token", status=200)[-1]
    assert made["body"]["assertion"]["claims"]["iss"] == ACCOUNT and made["body"]["assertion"]["signatureBytes"] == 256
    (write,) = [w for w in google.writes() if w["service"] == "container"]
    assert write["body"]["cluster"]["name"] == "demo" and write["principal"] == "dev@example.com"


def test_tls_and_a_proxy_lead_to_the_same_place(google):
    context = ssl.create_default_context(cafile=google.ca)
    plain, tls = (u.split("//")[1] for u in (google.plain, google.tls))
    for connect in (lambda: http.client.HTTPSConnection(tls, context=context),
                    lambda: http.client.HTTPSConnection(plain, context=context)):
        c = connect()
        if c.port == int(plain.split(":")[1]):
            c.set_tunnel("container.googleapis.com", 443)
        for _ in range(2):      # the connection is kept
            c.request("GET", f"{ZONE}/clusters", headers={"Authorization": f"Bearer {google.token}"})
            got = c.getresponse()
            assert (got.status, got.read()) == (200, b"{}\n")
        c.close()
    assert [e["via"] for e in google.requests(method="GET")] == [None] * 2 + ["container.googleapis.com:443"] * 2
    c = http.client.HTTPSConnection(plain, context=context)
    c.set_tunnel("example.com", 443)
    with pytest.raises(OSError, match="403"):
        c.request("GET", "/")


def test_a_cluster_hands_out_the_api_server_that_was_configured(google, tmp_path):
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n")
    script = tmp_path / "make"
    script.write_text(f"#!/bin/sh\ncat >>{tmp_path}/events\necho >>{tmp_path}/events\nsleep 0.1\n"
                      f"echo '{{\"endpoint\": \"127.0.0.9:6443\", \"caFile\": \"{tmp_path}/ca.pem\"}}'\n")
    script.chmod(0o700)
    google.configure(backends=[
        {"match": {"cluster": "fixed"}, "endpoint": "127.0.0.8", "caFile": str(tmp_path / "ca.pem")},
        {"match": {"cluster": "made*"}, "command": [str(script)]}])
    for name, endpoint in (("fixed", "127.0.0.8"), ("made-1", "127.0.0.9:6443")):
        create(google, name)
        advance(google)
        until = time.monotonic() + 10
        while cluster(google, name)["status"] == "PROVISIONING" and time.monotonic() < until:
            time.sleep(0.02)
        body = cluster(google, name)
        assert body["endpoint"] == endpoint and body["masterAuth"]["clusterCaCertificate"].startswith("LS0tLS1CRUdJTiB")
    call(google, "DELETE", f"{ZONE}/clusters/made-1")
    advance(google)
    cluster(google, "made-1", status=404)
    until = time.monotonic() + 10
    while (tmp_path / "events").read_text().count("made-1") < 2 and time.monotonic() < until:
        time.sleep(0.02)
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert [(e["event"], e["cluster"]) for e in events] == [("created", "made-1"), ("deleted", "made-1")]


class Kubernetes(http.server.BaseHTTPRequestHandler):
    """Two lists over TLS: all that the mirror reads of an API server."""

    lists = {}

    def do_GET(self):
        data = json.dumps({"items": self.lists.get(self.path.rsplit("/", 1)[1], [])}).encode()
        self.send_response(200 if self.headers.get("Authorization", "").startswith("Bearer ya29.mirror-") else 401)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args):
        pass


def test_services_and_volumes_of_a_real_cluster_are_mirrored_until_it_goes(google):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(google.ca).parent / "server.pem", Path(google.ca).parent / "server.key")
    api = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Kubernetes)
    api.socket = context.wrap_socket(api.socket, server_side=True)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    google.configure(backends=[{"endpoint": f"127.0.0.1:{api.server_port}", "caFile": google.ca, "mirror": True}])

    def wait(services, volumes):
        Kubernetes.lists = {
            "services": [{"metadata": {"uid": s, "name": "s", "namespace": "n"}, "spec": {"type": "LoadBalancer"}}
                         for s in services],
            "persistentvolumes": [{"metadata": {"name": v}, "spec": {"capacity": {"storage": "1.5Gi"}}} for v in volumes]}
        until, seen = time.monotonic() + 10, None
        while seen != (len(services), sorted(volumes)) and time.monotonic() < until:
            time.sleep(0.05)
            compute = google.ledger()["projects"]["demo-proj"]["compute"]
            seen = (len(compute.get("forwardingRules", [])),
                    sorted(d["name"] for d in compute.get("disks", []) if d["name"].startswith("pvc-")))
        assert seen == (len(services), sorted(volumes))

    try:
        create(google)
        advance(google)
        wait(["6f1b1c9e-0000-4000-8000-00000000000a"], ["pvc-1", "pvc-2"])
        wait([], ["pvc-2"])
        call(google, "DELETE", f"{ZONE}/clusters/demo")
        advance(google)
        cluster(google, status=404)
        Kubernetes.lists = {}
        time.sleep(0.5)
        (disk,) = google.ledger()["projects"]["demo-proj"]["compute"]["disks"]
        assert disk["name"] == "pvc-2" and disk["body"]["sizeGb"] == "2" and not disk["body"].get("users")
    finally:
        google.configure(backends=[])
        api.shutdown()
        api.server_close()


# Real clients

GCLOUD = shutil.which("gcloud")
PLUGIN = shutil.which("gke-gcloud-auth-plugin")
SDK = Path(GCLOUD).resolve().parents[1] if GCLOUD else None
SDK_PYTHON = SDK / "platform/bundledpythonunix/bin/python3" if SDK else None
needs_gcloud = pytest.mark.skipif(not GCLOUD, reason="gcloud is not installed: what real clients say is not checked")
needs_auth = pytest.mark.skipif(not (SDK_PYTHON and SDK_PYTHON.exists()), reason="no google-auth: gcloud's bundled Python "
                                                                                "is not installed")
needs_plugin = pytest.mark.skipif(not PLUGIN, reason="gke-gcloud-auth-plugin is not installed")


def run(google, home, argv, credential="token", **env):
    """A real client. Every address of it is here; what it would send to a host of Google comes here, too."""
    done = subprocess.run([str(a) for a in argv], env=google.env(home, credential, proxy=True, **env), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    assert google.requests(method="CONNECT", status=403) == []     # nothing tried to go elsewhere
    return done.stdout, done.stderr


def gcloud(google, home, *argv, credential="token", **env):
    return run(google, home, [GCLOUD, *argv], credential, **env)[0].strip()


@needs_gcloud
def test_gcloud_makes_changes_and_removes_a_cluster(google, tmp_path):
    def g(*argv):
        return gcloud(google, tmp_path, "container", *argv, "--zone=us-central1-a", "--quiet")

    google.configure(durations={"UPDATE_CLUSTER": 1, "SET_NODE_POOL_SIZE": 1, "CREATE_NODE_POOL": 1})
    with concurrent.futures.ThreadPoolExecutor(2) as side:      # a create that is waited for takes gcloud 6 s
        version = side.submit(g, "get-server-config", "--format=value(defaultClusterVersion)")
        assert g("clusters", "create", "demo", "--num-nodes=2", "--format=value(name,status)").startswith("demo\tR")
        assert version.result() == "1.32.4-gke.1415000"
    assert "gke_demo-proj_us-central1-a_demo" in (tmp_path / "kubeconfig").read_text()
    assert g("clusters", "describe", "demo", "--format=value(status,nodePools[0].status,currentNodeCount)"
             ) == "RUNNING\tRUNNING\t2"
    assert g("node-pools", "create", "extra", "--cluster=demo", "--num-nodes=1", "--format=value(name)", "--async")
    assert g("node-pools", "list", "--cluster=demo", "--format=value(name)").split() == ["default-pool", "extra"]
    g("clusters", "resize", "demo", "--node-pool=extra", "--num-nodes=2", "--async")
    g("clusters", "update", "demo", "--update-labels=owner=me", "--async")
    assert cluster(google)["resourceLabels"] == {"owner": "me"}
    g("node-pools", "delete", "extra", "--cluster=demo", "--async")
    advance(google)
    operations = [o.split() for o in g("operations", "list", "--format=value(operationType,status,name)").split("\n")]
    assert [o[0] for o in operations] == ["CREATE_CLUSTER", "CREATE_NODE_POOL", "SET_NODE_POOL_SIZE",
                                                  "UPDATE_CLUSTER", "DELETE_NODE_POOL"]
    assert g("operations", "describe", operations[0][2], "--format=value(status)") == "DONE"
    (tmp_path / "kubeconfig").unlink()
    g("clusters", "get-credentials", "demo")
    assert cluster(google)["endpoint"] in (tmp_path / "kubeconfig").read_text()
    g("clusters", "delete", "demo", "--async")
    advance(google)
    assert gcloud(google, tmp_path, "container", "clusters", "list", "--format=value(name)") == ""
    assert google.ledger()["empty"]
    assert all(e["status"] < 400 and e["via"] is None for e in google.requests()), google.requests()


@needs_gcloud
@pytest.mark.parametrize(("credential", "principal"), [
    ("sa", ACCOUNT), ("user", "dev@example.com"), ("metadata", "sa@demo-proj.iam.gserviceaccount.com"),
    ("wif-file", "principal://"), ("wif-url", "principal://"),
    ("wif-impersonated", "deploy@demo-proj.iam.gserviceaccount.com"),
    ("impersonated", "deploy@demo-proj.iam.gserviceaccount.com")])
def test_gcloud_logs_in_with_each_credential(google, tmp_path, credential, principal):
    gcloud(google, tmp_path, "container", "clusters", "list", "--format=value(name)", credential=credential)
    last = google.requests(service="container")[-1]
    assert last["principal"].startswith(principal) and last["status"] == 200


@needs_gcloud
def test_gcloud_switches_several_apis_on_at_once(google, tmp_path):
    names = ["container.googleapis.com", "compute.googleapis.com", "artifactregistry.googleapis.com"]
    google.http("POST", "/v1/projects/demo-proj/services/compute.googleapis.com:disable", {}, google.token)
    gcloud(google, tmp_path, "services", "enable", *names)
    on = gcloud(google, tmp_path, "services", "list", "--enabled", "--format=value(config.name)").split()
    assert set(names) <= set(on)


@needs_gcloud
def test_gcloud_impersonates_by_flag_and_speaks_tls(google, tmp_path):
    target = "deploy@demo-proj.iam.gserviceaccount.com"
    run(google, tmp_path, [GCLOUD, "container", "clusters", "list", f"--impersonate-service-account={target}"], "sa", tls=True)
    assert google.requests(service="container")[-1]["principal"] == target
    assert google.requests(service="iamcredentials")[-1]["headers"]["x-allowed-locations"] == "0x0"


@needs_gcloud
def test_gcloud_sees_leftovers_and_repositories(google, tmp_path):
    create(google)
    advance(google)
    google.control("POST", "workloads", {"project": "demo-proj", "location": "us-central1-a", "cluster": "demo",
                                         "services": [{"uid": "6f1b1c9e-0000-4000-8000-00000000000a"}]})
    rules = gcloud(google, tmp_path, "compute", "forwarding-rules", "list", "--format=value(name,region.basename())")
    assert rules == "a6f1b1c9e00004000800000000000000\tus-central1"
    gcloud(google, tmp_path, "compute", "forwarding-rules", "delete", rules.split()[0], "--region=us-central1", "--quiet")
    gcloud(google, tmp_path, "artifacts", "repositories", "create", "images", "--location=us-central1",
           "--repository-format=docker")
    assert google.ledger()["projects"]["demo-proj"]["repositories"] == [
        "projects/demo-proj/locations/us-central1/repositories/images"]


ADC = """
import google.auth, google.auth.transport.requests as r
c, p = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
c.refresh(r.Request()); print(p, c.token)
"""


# google-auth takes no project from a user's file; of an external account it asks the resource manager.
@needs_auth
@pytest.mark.parametrize(("credential", "kind", "project"), [
    ("sa", "sa", "demo-proj"), ("user", "user", "None"), ("wif-file-json", "fed", "demo-proj"),
    ("wif-impersonated", "imp", "demo-proj"), ("impersonated", "imp", "None"), ("impersonated-sa", "imp", "None"),
    ("metadata", "md", "demo-proj")])
def test_google_auth_finds_each_default_credential(google, tmp_path, credential, kind, project):
    out = run(google, tmp_path, [SDK_PYTHON, "-c", ADC], credential, PYTHONPATH=SDK / "lib/third_party")[0]
    found, token = out.split()
    assert found == project and token.startswith(f"ya29.{kind}-")
    call(google, "GET", f"{ZONE}/clusters", token=token)


@needs_plugin
@pytest.mark.parametrize("credential", ["sa", "user", "wif-file"])
def test_the_plugin_gets_a_token_that_an_api_server_takes(google, tmp_path, credential):
    info = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1beta1", "spec": {"interactive": False}}
    out = run(google, tmp_path, [PLUGIN, "--use_application_default_credentials"], credential,
              KUBERNETES_EXEC_INFO=json.dumps(info))[0]
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": {"token": json.loads(out)["status"]["token"]}}
    user = google.http("POST", "/k8s/tokenreview", body)[1]["status"]["user"]
    assert user["username"].startswith({"sa": ACCOUNT, "user": "dev@example.com", "wif-file": "principal://"}[credential])
