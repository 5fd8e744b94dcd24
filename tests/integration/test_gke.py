"""gke/: the library against the Google stand-in: every credential, a cluster's life, what goes wrong on the way."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cprobe import build_probe

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "peers" / "google"))
sys.dont_write_bytecode = True

from client import Google               # noqa: E402  pylint: disable=wrong-import-position

LIBS = ["libcurl", "openssl", "jansson", "yaml-0.1"]
CI = "ci@demo-proj.iam.gserviceaccount.com"
DEPLOY = "deploy@demo-proj.iam.gserviceaccount.com"


@pytest.fixture(scope="module", name="program")
def _program(tmp_path_factory):
    return build_probe(tmp_path_factory.mktemp("probe"), "gke_probe", ("gke", "base"), LIBS)


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    with Google(tmp_path_factory.mktemp("google"), scale=300) as google:
        yield google


@pytest.fixture(name="google")
def _google(server):
    server.reset()
    return server


class Probe:
    def __init__(self, program, google, home):
        self.program, self.google, self.home = program, google, home

    def __call__(self, *argv, credential="token", rc=0, tls=False, **env):
        env = {**self.google.env(self.home, credential=credential, tls=tls), **env}
        env = {k: v for k, v in env.items() if v is not None}
        done = subprocess.run([self.program, *argv], env=env, capture_output=True, text=True, timeout=120, check=False)
        text = done.stdout + done.stderr
        assert done.returncode == rc, text
        assert not self.google.secrets_in(text), text
        return text


@pytest.fixture(name="probe")
def _probe(program, google, tmp_path):
    return Probe(program, google, tmp_path)


@pytest.mark.parametrize("credential, kind, principal", [
    ("sa", "service account key", CI),
    ("user", "user login", "dev@example.com"),
    ("token", "access token", "dev@example.com"),
    ("wif-file", "workload identity federation (file)", "principal://"),
    ("wif-file-json", "workload identity federation (file)", "principal://"),
    ("wif-url", "workload identity federation (URL)", "principal://"),
    ("wif-url-text", "workload identity federation (URL)", "principal://"),
    ("wif-executable", "workload identity federation (executable)", "principal://"),
    ("wif-impersonated", "impersonated service account, by workload identity federation (file)", DEPLOY),
    ("impersonated", "impersonated service account, by user login", DEPLOY),
    ("impersonated-sa", f"impersonated service account, by service account key of {CI}", DEPLOY),
])
def test_every_credential_says_what_it_is_and_works(probe, google, credential, kind, principal):
    env = {"GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1"}
    text = probe("status", credential=credential, **env)
    assert f"kind: {kind}\n" in text, text
    assert f"principal: {principal}" in text, text
    assert "expiry: later" in text, text
    assert "api 1\nmissing 0" in probe("rights", credential=credential, **env)
    assert google.requests(service="serviceusage")


def test_the_metadata_server_is_found_and_asked(probe):
    text = probe("status", credential=None, CLOUDSDK_CORE_CHECK_GCE_METADATA="true", NO_GCE_CHECK=None)
    assert "kind: metadata server\n" in text
    assert "principal: sa@demo-proj.iam.gserviceaccount.com" in text


@pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed")
def test_the_login_of_gcloud_is_the_last_resort(probe, google):
    env = {"CLOUDSDK_CORE_CHECK_GCE_METADATA": "false"}
    subprocess.run(["gcloud", "auth", "activate-service-account", "--key-file", google.credentials["sa"]],
                   env={**google.env(probe.home, credential=None), **env}, check=True, capture_output=True, timeout=60)
    text = probe("status", credential=None, **env)
    assert "kind: gcloud login\nsource: gcloud\n" in text and f"principal: {CI}\n" in text, text
    assert "expiry: later" in text
    assert "api 1" in probe("rights", credential=None, **env)
    subprocess.run(["gcloud", "auth", "revoke", CI], env={**google.env(probe.home, credential=None), **env}, check=True,
                   capture_output=True, timeout=60)
    text = probe("status", credential=None, rc=1, **env)
    assert "error denied: gcloud: exit code 1: " in text and "gcloud auth login" in text, text


def test_a_cluster_lives_and_goes_and_leaves_an_empty_ledger(probe, google):
    text = probe("life", "us-central1-a", "demo")
    assert "create done" in text and "label done" in text, text
    assert 'labels {"owner":"me"}' in text, text
    assert "pools 2" in text and "delete done" in text and "again nothing" in text, text
    assert "progress CREATE_CLUSTER" in text
    assert len([w for w in google.writes() if w["method"] == "POST" and w["path"].endswith("/clusters")]) == 1


@pytest.mark.parametrize("preset", ["unavailable", "unavailable-html", "bad-gateway", "internal", "deadline", "rate-info",
                                    "busy-429", "reset-before", "reset-after", "half", "html-ok", "empty-ok",
                                    "unauthenticated", "expired-token"])
def test_faults_on_looks_are_passed_over(probe, google, preset):
    google.fault(preset=preset, match={"path": "*/operations/*", "method": "GET"}, nth=2, times=1)
    assert "delete done" in probe("life", "us-central1-a", "demo", credential="sa")
    assert google.ledger()["empty"]


@pytest.mark.parametrize("preset", ["incompatible", "busy-403", "rate-403", "busy-429", "unauthenticated", "fingerprint"])
def test_refusals_that_pass_are_waited_out(probe, google, preset):
    path = "*:setResourceLabels" if preset == "fingerprint" else "*:setSize"
    google.fault(preset=preset, match={"path": path, "method": "POST"}, times=1)
    assert "delete done" in probe("life", "us-central1-a", "demo", credential="sa")


@pytest.mark.parametrize("preset, text", [
    ("quota", "CPUS                                  9          1          8          8"),
    ("denied", "needs container.clusters.create"),
    ("reset-after", "error unavailable"),
    ("reset-before", "error unavailable"),
    ("lost-reply", "error unavailable"),
    ("half", "error unavailable"),
])
def test_a_create_is_sent_once(probe, google, preset, text):
    google.fault(preset=preset, match={"path": "*/clusters", "method": "POST"}, times=0)
    assert text in probe("life", "us-central1-a", "demo", credential="sa", rc=1)
    assert len([r for r in google.requests() if r["method"] == "POST" and r["path"].endswith("/clusters")]) == 1


@pytest.mark.parametrize("preset", ["oauth-server-error", "oauth-unavailable", "oauth-internal", "reset-before", "half"])
@pytest.mark.parametrize("credential", ["sa", "user", "wif-impersonated"])
def test_token_endpoints_are_asked_again(probe, google, preset, credential):
    google.fault(preset=preset, match={"path": "*/token", "method": "POST"}, times=2)
    assert "api 1" in probe("rights", credential=credential)


def test_a_revoked_login_says_to_log_in_again(probe, google):
    google.fault(preset="oauth-revoked", match={"path": "*/token"}, times=0)
    text = probe("status", credential="user", rc=1)
    assert "error denied" in text and "gcloud auth application-default login" in text, text


def test_an_operation_that_is_not_known_yet_is_waited_for(probe, google):
    google.configure(hideOperations=2)
    assert "delete done" in probe("life", "us-central1-a", "demo")


def test_a_custom_ca_is_trusted_and_no_other_is(probe, google):
    unset = {"REQUESTS_CA_BUNDLE": None, "CURL_CA_BUNDLE": None, "SSL_CERT_FILE": None}
    for name in ("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        assert "api 1" in probe("rights", credential="sa", tls=True, **{**unset, name: google.ca})
    assert "error denied" in probe("rights", credential="sa", tls=True, rc=1, **unset)


def test_quotas_zones_and_machines_are_read(probe):
    text = probe("quotas", "us-central1")
    assert "cpus 0 of 72" in text and "machine 4" in text, text


def test_a_repository_is_made_once_and_removed(probe):
    assert "made 1 again 0" in probe("repository", "presto")


def test_a_switched_off_api_names_the_command(probe):
    text = probe("life", "us-central1-a", "demo", rc=1, GKE_PROJECT="off-proj")
    assert "gcloud services enable container.googleapis.com" in text, text


def test_what_looks_like_a_cluster_s_is_listed(probe):
    assert "partial 0" in probe("leftovers", "demo")
