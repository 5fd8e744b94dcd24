"""The same Presto as plain pods: what one writes by hand today, applied with kubectl and asked the same SQL."""
import json
import subprocess
import time
import urllib.error
import urllib.request

JVM = ["-server", "-Xmx512m", "-XX:-UseBiasedLocking", "-XX:+UseG1GC", "-XX:+ExplicitGCInvokesConcurrent",
       "-XX:+ExitOnOutOfMemoryError", "-XX:+UseGCOverheadLimit", "-Djdk.attach.allowAttachSelf=true",
       "-Djdk.nio.maxCachedBufferSize=2000000", "-XX:TieredStopAtLevel=1"]
MEMORY = "query.max-memory=1PB\nquery.max-memory-per-node=170MB\nquery.max-total-memory-per-node=170MB\nmemory.heap-headroom-per-node=153MB\n"
CONFIG = {
    "coordinator": "coordinator=true\nnode-scheduler.include-coordinator=false\nhttp-server.http.port=8080\n"
                   "discovery-server.enabled=true\ndiscovery.uri=http://127.0.0.1:8080\n" + MEMORY,
    "worker": "coordinator=false\nhttp-server.http.port=8080\ndiscovery.uri=http://coordinator:8080\n" + MEMORY,
}
NS = "plain"


def pods(role, replicas):
    start = ("mkdir -p etc/catalog && cp /config/%s etc/config.properties && echo connector.name=tpch > etc/catalog/tpch.properties && "
             "ln -sfn /usr/lib/presto/lib lib && ln -sfn /usr/lib/presto/plugin plugin && exec java %s -Dnode.environment=plain "
             "-Dnode.id=$POD_ID -Dnode.internal-address=$POD_IP -Dnode.data-dir=/var/lib/presto/data -cp 'lib/*' "
             "-Dconfig=etc/config.properties io.prestosql.server.PrestoServer") % (role, " ".join(JVM))
    field = lambda name, path: {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}  # noqa: E731
    container = {
        "name": "presto", "image": "localhost/presto:312", "imagePullPolicy": "IfNotPresent", "command": ["/bin/sh", "-c", start],
        "workingDir": "/var/lib/presto/data", "env": [field("POD_ID", "metadata.uid"), field("POD_IP", "status.podIP")],
        "ports": [{"containerPort": 8080}], "resources": {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        "readinessProbe": {"httpGet": {"path": "/v1/info", "port": 8080}, "initialDelaySeconds": 5, "periodSeconds": 2, "timeoutSeconds": 5},
        "volumeMounts": [{"name": "config", "mountPath": "/config"}, {"name": "data", "mountPath": "/var/lib/presto/data"}],
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": role, "namespace": NS},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"role": role}}, "template": {
                "metadata": {"labels": {"role": role}},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1,
                         "volumes": [{"name": "config", "configMap": {"name": "config"}}, {"name": "data", "emptyDir": {}}]}}}}


def objects():
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS}},
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config", "namespace": NS}, "data": CONFIG},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "coordinator", "namespace": NS},
             "spec": {"selector": {"role": "coordinator"}, "ports": [{"name": "http", "port": 8080}]}},
            pods("coordinator", 1), pods("worker", 2)]


def ask(cluster, method, path, body=None):
    """One exchange with the coordinator through the API server; None while it does not answer."""
    q = urllib.request.Request(f"{cluster.server}/api/v1/namespaces/{NS}/services/http:coordinator:8080/proxy{path}", method=method,
                               data=body, headers={"X-Presto-User": "bench"})
    try:
        with urllib.request.urlopen(q, context=cluster.tls, timeout=30) as r:
            return json.loads(r.read())
    except (urllib.error.HTTPError, urllib.error.URLError, ValueError):
        return None


def up(cluster):
    """Seconds from kubectl apply to the answer."""
    start = time.monotonic()
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects()})
    subprocess.run([*cluster.kubectl, "apply", "-f", "-"], input=manifest, text=True, check=True, capture_output=True)
    while ((ask(cluster, "GET", "/v1/cluster") or {}).get("activeWorkers") or 0) < 2:
        if time.monotonic() - start > 300:
            raise SystemExit("bench: the plain pods did not come up")
        time.sleep(0.2)
    page = ask(cluster, "POST", "/v1/statement", b"select count(*) from tpch.tiny.nation")
    rows = []
    while page:
        rows += page.get("data", [])
        if "nextUri" not in page:
            break
        page = ask(cluster, "GET", page["nextUri"][page["nextUri"].index("/v1/"):])
    if rows != [[25]]:
        raise SystemExit(f"bench: the plain pods answered {rows}: {json.dumps((page or {}).get('error', ''))[:500]}")
    return time.monotonic() - start


def down(cluster):
    subprocess.run([*cluster.kubectl, "delete", "namespace", NS, "--wait=true"], check=True, capture_output=True)
