"""A cluster of Google's, which is a real one behind the stand-in: from a file to SQL, and away again."""

import shutil
import subprocess

import pytest

from gke_stage import CLUSTER, LOCATION
from stage import until

PLUGIN = shutil.which("gke-gcloud-auth-plugin")


# The stage itself: real clients find it as they would find Google's.

@pytest.mark.skipif(not (PLUGIN and shutil.which("gcloud") and shutil.which("kubectl")),
                    reason="gcloud, its plugin or kubectl is not installed: that the stage is real is not checked")
def test_gcloud_its_plugin_and_kubectl_reach_the_nodes(gke):
    def run(*argv, status=0):
        done = subprocess.run(argv, env=gke.env, text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                              check=False)
        assert done.returncode == status, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    at = [f"--zone={LOCATION}", "--quiet"]
    run("gcloud", "container", "clusters", "create", CLUSTER, "--num-nodes=1", "--async", *at)
    until(lambda: gke.project()["clusters"][0]["status"] == "RUNNING", 20, "the cluster runs")
    run("gcloud", "container", "clusters", "get-credentials", CLUSTER, *at)
    assert run("kubectl", "get", "nodes", "-o", "name").split() == ["node/node0"]
    assert "ci@demo-proj.iam.gserviceaccount.com" in run("kubectl", "auth", "whoami")
    run("kubectl", "create", "service", "loadbalancer", "public", "--tcp=80:80")
    until(lambda: gke.project()["compute"].get("forwardingRules"), 20, "the load balancer is on the bill")
    run("kubectl", "delete", "service", "public")
    until(lambda: not gke.project()["compute"].get("forwardingRules"), 20, "it went with its Service")
    run("gcloud", "container", "clusters", "delete", CLUSTER, "--async", *at)
    until(lambda: gke.google.ledger()["empty"], 20, "nothing is left")
    until(lambda: subprocess.run(["kubectl", "get", "nodes"], env=gke.env, capture_output=True, check=False).returncode,
          20, "the API server knows nobody any more")
    gke.kubeconfig.unlink()
