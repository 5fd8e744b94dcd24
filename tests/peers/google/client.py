"""For tests: starts the stand-in, speaks to its control endpoint, sets the environment of real clients.

    with Google(folder) as google:
        google.fault(preset="unavailable", match={"path": "*/clusters"})
        run([...], env=google.env(credential="sa"))
        assert google.ledger()["empty"]
"""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

STANDIN = Path(__file__).resolve().with_name("standin")
APIS = {"CONTAINER": "", "SERVICEUSAGE": "", "CLOUDRESOURCEMANAGER": "", "IAMCREDENTIALS": "", "STS": "", "IAM": "",
        "ARTIFACTREGISTRY": "", "COMPUTE": "compute/v1/"}
# Taken out of the environment of clients: they would come before what a test sets.
FOREIGN = ("GOOGLE_", "CLOUDSDK_", "GCE_METADATA", "NO_GCE_CHECK", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
           "http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE",
           "KUBECONFIG")


class Google:
    def __init__(self, folder, scale=100, config=None, also=(), start=True):
        self.folder, self.process = Path(folder), None
        self.folder.mkdir(parents=True, exist_ok=True)
        argv = [str(STANDIN), "--state", str(self.folder / "state"), "--scale", str(scale)]
        for address in also:
            argv += ["--also", address]
        if config:
            (self.folder / "config.json").write_text(json.dumps(config))
            argv += ["--config", str(self.folder / "config.json")]
        self.argv = argv
        if start:
            self.start()

    def start(self):
        self.errors = open(self.folder / "standin.err", "w+", encoding="utf-8")  # noqa: SIM115
        self.process = subprocess.Popen(self.argv, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise RuntimeError(f"the stand-in did not start: {(self.folder / 'standin.err').read_text()}")
        told = json.loads(line)
        self.plain, self.tls, self.ca, self.log_path = told["plain"], told["tls"], told["ca"], Path(told["log"])
        self.credentials, self.pid = told["credentials"], told["pid"]
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
        if self.process:
            self.process.stdout.close()
            self.errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # Requests

    def http(self, method, path, body=None, token=None, headers=(), raw=False):
        """(status, reply): JSON, or with `raw` (status, headers, bytes)."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        request = urllib.request.Request(self.plain + path, data=data, method=method, headers={
            **({"Content-Type": "application/json"} if data else {}),
            **({"Authorization": f"Bearer {token}"} if token else {}), **dict(headers)})
        try:
            with self.opener.open(request, timeout=60) as got:
                status, head, text = got.status, got.headers, got.read()
        except urllib.error.HTTPError as e:
            status, head, text = e.code, e.headers, e.read()
        if raw:
            return status, head, text
        return status, json.loads(text) if text.strip()[:1] in (b"{", b"[") else text.decode()

    def control(self, method, verb, body=None):
        status, reply = self.http(method, f"/_control/{verb}", body)
        if status != 200:
            raise RuntimeError(f"{method} {verb}: {reply}")
        return reply

    @property
    def token(self):
        return Path(self.credentials["token"]).read_text()

    def ledger(self):
        return self.control("GET", "ledger")

    def requests(self, since=0, **match):
        """Entries of the log, those whose fields are equal to `match`; an API server's reviews only when asked for."""
        found = self.control("GET", f"requests?since={since}")["requests"]
        return [e for e in found if all(e.get(k) == v for k, v in match.items())
                and (e["service"] != "webhook" or "service" in match)]

    def writes(self, since=0):
        return [e for e in self.requests(since) if e["write"]]

    def fault(self, **rule):
        return self.control("POST", "faults", rule)["ids"][0]

    def unfault(self, number):
        """Takes one rule back. How often it has hit."""
        return self.control("DELETE", "faults", {"ids": [number]})["faults"][0]["hits"]

    def plan(self, **plan):
        self.control("POST", "plans", plan)

    def configure(self, **change):
        self.control("PATCH", "config", change)

    def reset(self):
        self.control("POST", "reset")

    def secrets_in(self, text):
        """Which secrets a text shows."""
        return [s for s in self.control("GET", "secrets")["secrets"] if s in text]

    # Environments

    def env(self, home, credential="token", project="demo-proj", tls=False, proxy=False, **more):
        """Of gcloud, google-auth, the plugin and prestoctl: every address is on loopback, the configuration empty.

        With `proxy`, whatever would go to a host of Google comes here as well, and stands in the log with `via`.
        """
        base = self.tls if tls else self.plain
        env = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        env |= {"HOME": str(home), "CLOUDSDK_CONFIG": str(Path(home) / "gcloud"), "CLOUDSDK_CORE_PROJECT": project,
                "CLOUDSDK_CORE_DISABLE_PROMPTS": "1", "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
                "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true", "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK":
                "true", "CLOUDSDK_CORE_DISABLE_FILE_LOGGING": "true", "CLOUDSDK_AUTH_TOKEN_HOST": f"{base}/token",
                "GCE_METADATA_ROOT": base.split("//")[1], "GCE_METADATA_HOST": base.split("//")[1],
                "GCE_METADATA_IP": base.split("//")[1], "KUBECONFIG": str(Path(home) / "kubeconfig"),
                "PYTHONDONTWRITEBYTECODE": "1", "CLOUDSDK_CORE_UNIVERSE_DOMAIN": "googleapis.com"}
        env |= {f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}": f"{base}/{path}" for api, path in APIS.items()}
        if proxy:
            env |= {"HTTPS_PROXY": self.plain, "https_proxy": self.plain, "NO_PROXY": "127.0.0.1,localhost",
                    "no_proxy": "127.0.0.1,localhost"}
        if tls or proxy:
            env |= {"REQUESTS_CA_BUNDLE": self.ca, "CURL_CA_BUNDLE": self.ca, "SSL_CERT_FILE": self.ca}
        if credential == "token":
            env["CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"] = self.credentials["token"]
        elif credential == "metadata":
            env["CLOUDSDK_CORE_CHECK_GCE_METADATA"] = "true"
        elif credential:
            env["CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE"] = self.credentials[credential]
            env["GOOGLE_APPLICATION_CREDENTIALS"] = self.credentials[credential]
        return {**env, **{k: str(v) for k, v in more.items()}}
