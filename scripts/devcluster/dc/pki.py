"""Certificates, keys and kubeconfigs of one cluster, made with openssl. Every file is 0600."""

import base64
import concurrent.futures
import os

from .system import read_text, run, write_file

DAYS = "3650"


class Pki:
    def __init__(self, folder):
        self.folder = folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, wanted):
        """wanted: {name: (subject, subjectAltName or "")}. Makes what is missing, side by side."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        if not os.path.exists(self.path("ca.crt")):
            self._authority()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(self._certificate, name, *of) for name, of in wanted.items()]
            jobs.append(pool.submit(self._service_account_key))
            for job in jobs:
                job.result()

    def _key(self, name):
        run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.path(name)])

    def _authority(self):
        self._key("ca.key")
        run(["openssl", "req", "-x509", "-new", "-key", self.path("ca.key"), "-out", self.path("ca.crt.new"),
             "-days", DAYS, "-subj", "/CN=devcluster"])
        os.rename(self.path("ca.crt.new"), self.path("ca.crt"))

    def _certificate(self, name, subject, names):
        text = "extendedKeyUsage=serverAuth,clientAuth\n" + (f"subjectAltName={names}\n" if names else "")
        crt, want = self.path(f"{name}.crt"), self.path(f"{name}.ext")
        if os.path.exists(crt):
            if read_text(want, "") == text:
                return
            os.unlink(crt)      # before its key goes: a kill leaves no pair that does not match
        write_file(want, text)
        self._key(f"{name}.key")
        _, request, _ = run(["openssl", "req", "-new", "-key", self.path(f"{name}.key"), "-subj", subject])
        serial = "0x" + os.urandom(16).hex()
        run(["openssl", "x509", "-req", "-CA", self.path("ca.crt"), "-CAkey", self.path("ca.key"), "-set_serial", serial,
             "-days", DAYS, "-out", f"{crt}.new", "-extfile", want], stdin=request.encode())
        os.rename(f"{crt}.new", crt)

    def _service_account_key(self):
        if os.path.exists(self.path("sa.pub")):
            return
        self._key("sa.key")
        run(["openssl", "ec", "-in", self.path("sa.key"), "-pubout", "-out", self.path("sa.pub.new")])
        os.rename(self.path("sa.pub.new"), self.path("sa.pub"))

    def kubeconfig(self, path, server, user, context):
        """Writes a kubeconfig with everything embedded."""
        def data(name):
            with open(self.path(name), "rb") as f:
                return base64.b64encode(f.read()).decode()

        write_file(path, f"""apiVersion: v1
kind: Config
clusters:
- name: {context}
  cluster:
    server: {server}
    certificate-authority-data: {data("ca.crt")}
users:
- name: {context}
  user:
    client-certificate-data: {data(user + ".crt")}
    client-key-data: {data(user + ".key")}
contexts:
- name: {context}
  context:
    cluster: {context}
    user: {context}
current-context: {context}
""")
