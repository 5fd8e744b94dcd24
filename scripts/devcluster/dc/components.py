"""The command line and the configuration files of every component. Starts nothing."""

import dataclasses
import hashlib
import json

from . import net as network


@dataclasses.dataclass
class Component:
    name: str
    argv: list
    files: dict = dataclasses.field(default_factory=dict)       # path -> content
    node: int | None = None             # whose namespace it runs in; None = the host's
    group: str = "system"               # its folder below the cluster's control group
    identity: str = ""                  # what else makes it another component: the namespace's inode

    def note(self):
        """A fingerprint: a running component with another one is restarted."""
        text = json.dumps([self.argv, sorted(self.files.items()), self.identity])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Recipes:
    """What every component of one cluster is, from the settings alone."""

    def __init__(self, cluster):
        self.c = cluster
        self.bin = cluster.parts.path
        self.pki = cluster.pki.path

    def conf(self, name):
        return self.c.path("conf", name)

    def certificates(self):
        c = self.c
        names = "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc," \
                f"DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:10.96.0.1,IP:{c.address}"
        wanted = {
            "apiserver": ("/CN=kube-apiserver", names),
            "etcd": ("/CN=etcd", "IP:127.0.0.1"),
            "etcd-client": ("/CN=kube-apiserver-etcd-client", ""),
            "kubelet-client": ("/O=system:masters/CN=kube-apiserver-kubelet-client", ""),
            "admin": ("/O=system:masters/CN=admin", ""),
        }
        if c.controllers:
            wanted["controllers"] = ("/CN=system:kube-controller-manager", "")
        if not c.control_plane_only:
            wanted["scheduler"] = ("/CN=system:kube-scheduler", "")
            wanted["proxy"] = ("/CN=system:kube-proxy", "")
            wanted["coredns"] = ("/CN=system:coredns", "")
            wanted["front-proxy"] = ("/CN=front-proxy", "")
            for i in range(c.nodes):
                wanted[f"kubelet-{i}"] = (f"/O=system:nodes/CN=system:node:node{i}",
                                          f"DNS:node{i},IP:{c.net.address(i)}")
        return wanted

    def kubeconfigs(self):
        users = [u for u in ("controllers", "scheduler", "proxy", "coredns") if u in self.certificates()]
        if not self.c.control_plane_only:
            users += [f"kubelet-{i}" for i in range(self.c.nodes)]
        return {user: self.conf(f"{user}.conf") for user in users}

    def _at0(self, name, argv, files=None):
        c = self.c
        if c.control_plane_only:
            return Component(name, argv, files or {})
        return Component(name, argv, files or {}, node=0, identity=c.net.identity(0) or "")

    def etcd(self):
        c = self.c
        client, peer = f"https://127.0.0.1:{c.etcd_port}", f"http://127.0.0.1:{c.peer_port}"
        return self._at0("etcd", [
            "/usr/bin/etcd", "--name=devcluster", f"--data-dir={c.path('etcd')}", f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=devcluster={peer}",
            "--client-cert-auth", f"--trusted-ca-file={self.pki('ca.crt')}",
            f"--cert-file={self.pki('etcd.crt')}", f"--key-file={self.pki('etcd.key')}",
            # There is one member and the data need not survive a power cut: no waits for either.
            "--heartbeat-interval=20", "--election-timeout=200", "--unsafe-no-fsync=true"])

    def apiserver(self):
        c, pki = self.c, self.pki
        policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\n" \
                 "rules: [{level: Metadata}]\n"
        argv = [
            self.bin("kube-apiserver"), f"--etcd-servers=https://127.0.0.1:{c.etcd_port}",
            f"--etcd-cafile={pki('ca.crt')}", f"--etcd-certfile={pki('etcd-client.crt')}",
            f"--etcd-keyfile={pki('etcd-client.key')}",
            f"--advertise-address={c.address}", f"--secure-port={c.port}",
            f"--tls-cert-file={pki('apiserver.crt')}", f"--tls-private-key-file={pki('apiserver.key')}",
            f"--client-ca-file={pki('ca.crt')}", f"--service-account-key-file={pki('sa.pub')}",
            f"--service-account-signing-key-file={pki('sa.key')}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-cluster-ip-range={network.SERVICES}", "--authorization-mode=Node,RBAC",
            "--allow-privileged", "--profiling=false",
            f"--audit-policy-file={self.conf('audit-policy.yaml')}", f"--audit-log-path={c.audit_log}",
            "--audit-log-maxsize=1024", "--audit-log-maxbackup=1"]
        files = {self.conf("audit-policy.yaml"): policy}
        if c.token_file:
            argv.append(f"--token-auth-file={c.token_file}")
        if c.token_webhook:
            argv += [f"--authentication-token-webhook-config-file={self.conf('token-webhook.yaml')}",
                     "--authentication-token-webhook-version=v1", "--authentication-token-webhook-cache-ttl=2s"]
            files[self.conf("token-webhook.yaml")] = webhook_config(c.token_webhook)
        if c.control_plane_only:
            argv += ["--bind-address=127.0.0.1", "--endpoint-reconciler-type=none"]
            if not c.controllers:       # nobody makes the accounts that it would ask for
                argv.append("--disable-admission-plugins=ServiceAccount")
        else:
            argv += [
                f"--kubelet-client-certificate={pki('kubelet-client.crt')}",
                f"--kubelet-client-key={pki('kubelet-client.key')}",
                f"--kubelet-certificate-authority={pki('ca.crt')}", "--kubelet-preferred-address-types=InternalIP",
                f"--requestheader-client-ca-file={pki('ca.crt')}", "--requestheader-allowed-names=front-proxy",
                "--requestheader-extra-headers-prefix=X-Remote-Extra-",
                "--requestheader-group-headers=X-Remote-Group", "--requestheader-username-headers=X-Remote-User",
                f"--proxy-client-cert-file={pki('front-proxy.crt')}",
                f"--proxy-client-key-file={pki('front-proxy.key')}", "--enable-aggregator-routing"]
        return self._at0("kube-apiserver", argv, files)

    def controllers(self):
        conf = self.conf("controllers.conf")
        argv = [self.bin("kube-controller-manager"), f"--kubeconfig={conf}",
                f"--service-account-private-key-file={self.pki('sa.key')}", f"--root-ca-file={self.pki('ca.crt')}",
                "--use-service-account-credentials", "--leader-elect=false", "--secure-port=0", "--profiling=false",
                "--concurrent-deployment-syncs=10", "--kube-api-qps=100", "--kube-api-burst=200",
                f"--flex-volume-plugin-dir={self.c.path('flexvolume')}"]
        if not self.c.control_plane_only:
            argv += ["--enable-hostpath-provisioner", f"--cluster-cidr={network.PODS}", "--allocate-node-cidrs=false",
                     "--pvclaimbinder-sync-period=2s"]
        return self._at0("kube-controller-manager", argv)

    def scheduler(self):
        conf = self.conf("scheduler.yaml")
        text = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n" \
               "leaderElection: {leaderElect: false}\n" \
               f"clientConnection: {{kubeconfig: {self.conf('scheduler.conf')}, qps: 100, burst: 200}}\n"
        return self._at0("kube-scheduler", [self.bin("kube-scheduler"), f"--config={conf}", "--secure-port=0"],
                         {conf: text})

    def coredns(self):
        conf, ip = self.conf("Corefile"), self.c.net.address(0)
        # Two blocks, as the template plugin would answer before the kubernetes plugin.
        text = f"""cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {{
    bind {ip}
    errors
    ready {ip}:8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {self.conf("coredns.conf")}
        pods insecure
        ttl 5
    }}
}}
.:53 {{
    bind {ip}
    errors
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""
        return self._at0("coredns", [self.bin("coredns"), "-conf", conf], {conf: text})

    # -- one node ---------------------------------------------------------------------------------

    def _on_node(self, i, name, argv, files):
        return Component(f"{name}-{i}", argv, files, node=i, group=f"node{i}-system",
                         identity=self.c.net.identity(i) or "")

    def containerd(self, i):
        folder, conf = self.c.node_path(i), self.conf(f"containerd-{i}.toml")
        # /run and /var/lib hold nothing of it: `down` finds all in one folder.
        toml = f"""version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "{self.c.socket(i)}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  disable_tcp_service = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      Root = "{folder}/runc"
      BinaryName = "/usr/sbin/runc"
"""
        cni = {"cniVersion": "1.0.0", "name": f"devcluster-{self.c.name}.{i}", "plugins": [
            {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "hairpinMode": True,
             "ipam": {"type": "host-local", "dataDir": f"{folder}/ipam",
                      "ranges": [[{"subnet": self.c.net.pods(i)}]], "routes": [{"dst": "0.0.0.0/0"}]}},
            {"type": "portmap", "capabilities": {"portMappings": True}}]}
        return self._on_node(i, "containerd", ["/usr/bin/containerd", "-c", conf],
                             {conf: toml, f"{folder}/cni/10-bridge.conflist": json.dumps(cni)})

    def kubelet(self, i):
        c, folder = self.c, self.c.node_path(i)
        conf, resolv = self.conf(f"kubelet-{i}.yaml"), self.conf(f"resolv-{i}.conf")
        cpu, memory = c.reserved()
        text = f"""apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {{anonymous: {{enabled: false}}, webhook: {{enabled: true}}, x509: {{clientCAFile: {self.pki("ca.crt")}}}}}
authorization: {{mode: Webhook}}
clusterDomain: cluster.local
clusterDNS: [{c.net.address(0)}]
cgroupDriver: cgroupfs
cgroupRoot: /{c.group}/node{i}
failCgroupV1: false
failSwapOn: false
resolvConf: {resolv}
tlsCertFile: {self.pki(f"kubelet-{i}.crt")}
tlsPrivateKeyFile: {self.pki(f"kubelet-{i}.key")}
containerRuntimeEndpoint: unix://{c.socket(i)}
podLogsDir: {folder}/pod-logs
volumePluginDir: {c.path("flexvolume")}
kubeReserved: {{cpu: {cpu}m, memory: "{memory}"}}
enforceNodeAllocatable: [pods]
evictionHard: {{memory.available: "{c.EVICTION}", nodefs.available: "1%", imagefs.available: "1%"}}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
serializeImagePulls: false
kubeAPIQPS: 100
kubeAPIBurst: 200
eventRecordQPS: 0
"""
        argv = [self.bin("kubelet"), f"--config={conf}", f"--kubeconfig={self.conf(f'kubelet-{i}.conf')}",
                f"--hostname-override=node{i}", f"--node-ip={c.net.address(i)}", f"--root-dir={folder}/kubelet"]
        return self._on_node(i, "kubelet", argv, {conf: text, resolv: f"nameserver {c.net.address(0)}\n"})

    def proxy(self, i):
        conf = self.conf(f"proxy-{i}.yaml")
        text = f"""apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: {network.PODS}
clientConnection: {{kubeconfig: {self.conf("proxy.conf")}}}
conntrack: {{maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}}
iptables: {{minSyncPeriod: 100ms}}
hostnameOverride: node{i}
"""
        return self._on_node(i, "kube-proxy", [self.bin("kube-proxy"), f"--config={conf}"], {conf: text})

    # -- all of them ------------------------------------------------------------------------------

    def first(self):
        """What needs no API server."""
        found = [self.etcd(), self.apiserver()]
        if not self.c.control_plane_only:
            found += [self.containerd(i) for i in range(self.c.nodes)]
        return found

    def second(self):
        """What talks to a living API server from its first breath."""
        if self.c.control_plane_only:
            return [self.controllers()] if self.c.controllers else []
        found = [self.controllers(), self.scheduler(), self.coredns()]
        for i in range(self.c.nodes):
            found += [self.kubelet(i), self.proxy(i)]
        return found


def webhook_config(url):
    return f"""apiVersion: v1
kind: Config
clusters: [{{name: webhook, cluster: {{server: "{url}"}}}}]
users: [{{name: webhook, user: {{}}}}]
contexts: [{{name: webhook, context: {{cluster: webhook, user: webhook}}}}]
current-context: webhook
"""


STORAGE_CLASS = ("/apis/storage.k8s.io/v1/storageclasses", {
    "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "kubernetes.io/host-path",
    "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}})

DNS_ROLE = ("/apis/rbac.authorization.k8s.io/v1/clusterroles", {
    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "system:coredns"},
    "rules": [{"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"],
               "verbs": ["list", "watch"]},
              {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}]})

DNS_BINDING = ("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
    "metadata": {"name": "system:coredns"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:coredns"}]})

OBJECTS = (STORAGE_CLASS, DNS_ROLE, DNS_BINDING)
