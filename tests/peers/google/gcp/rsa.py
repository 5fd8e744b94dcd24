"""RSA keys by the openssl command, RS256 signatures checked by hand: no package is needed."""

import base64
import hashlib
import hmac
import json
import re
import subprocess
import time
from pathlib import Path

from .core import b64url, unb64url

# DigestInfo of SHA-256 as EMSA-PKCS1-v1_5 wants it (RFC 8017, 9.2).
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
HOSTS = ("localhost", "*.googleapis.com", "googleapis.com", "accounts.google.com", "www.googleapis.com",
         "metadata.google.internal", "*.gke.goog", "*.pkg.dev")


def openssl(*args, stdin=None):
    done = subprocess.run(["openssl", *map(str, args)], input=stdin, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {args[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


class PublicKey:
    def __init__(self, modulus, exponent=65537):
        self.n, self.e = modulus, exponent
        self.size = (modulus.bit_length() + 7) // 8

    def verify(self, signature, data):
        """RSASSA-PKCS1-v1_5 with SHA-256: the whole padding is compared, nothing is parsed."""
        if len(signature) != self.size:
            return False
        number = int.from_bytes(signature, "big")
        if number >= self.n:
            return False
        got = pow(number, self.e, self.n).to_bytes(self.size, "big")
        tail = SHA256_INFO + hashlib.sha256(data).digest()
        want = b"\0\1" + b"\xff" * (self.size - len(tail) - 3) + b"\0" + tail
        return hmac.compare_digest(got, want)


class Key:
    """A private key in PEM (PKCS #8) and its public half."""

    def __init__(self, path):
        self.path = Path(path)
        if not self.path.exists():
            self.path.touch(mode=0o600)
            self.path.write_bytes(openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"))
        text = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode()
        self.public = PublicKey(int(re.search(r"Modulus=([0-9A-F]+)", text)[1], 16))
        self.id = hashlib.sha1(text.encode()).hexdigest()

    @property
    def pem(self):
        return self.path.read_text()

    def sign(self, data):
        return openssl("dgst", "-sha256", "-sign", self.path, stdin=data)

    def jwt(self, claims, **header):
        head = b64url(json.dumps({"alg": "RS256", "typ": "JWT", "kid": self.id, **header}).encode())
        text = f"{head}.{b64url(json.dumps(claims).encode())}"
        return f"{text}.{b64url(self.sign(text.encode()))}"


def jwt_parts(text):
    """(header, claims, signature, what was signed); ValueError when it is no JWT."""
    pieces = text.split(".")
    if len(pieces) != 3:
        raise ValueError("not three parts")
    header, claims = (json.loads(unb64url(p)) for p in pieces[:2])
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise ValueError("not objects")
    return header, claims, unb64url(pieces[2]), f"{pieces[0]}.{pieces[1]}".encode()


def certificates(folder, addresses=("127.0.0.1",)):
    """A CA and a server certificate for loopback and for the names of Google's hosts."""
    folder = Path(folder)
    ca, cert, key = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    if cert.exists():
        return ca, cert, key
    names = ",".join([f"IP:{a}" for a in addresses] + [f"DNS:{h}" for h in HOSTS])
    start, ca_key, request = int(time.time()), folder / "ca.key", folder / "server.csr"
    for path in (ca_key, key):
        path.touch(mode=0o600)
        path.write_bytes(openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"))
    (folder / "ca.cnf").write_text("[req]\ndistinguished_name=dn\nx509_extensions=ca\n[dn]\n[ca]\n"
                                   "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\n"
                                   "subjectKeyIdentifier=hash\n")
    (folder / "server.ext").write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n"
                                       "basicConstraints=CA:false\nauthorityKeyIdentifier=keyid\n")
    openssl("req", "-x509", "-new", "-key", ca_key, "-days", 30, "-subj", "/CN=stand-in CA", "-out", ca,
            "-config", folder / "ca.cnf", "-set_serial", start)
    openssl("req", "-new", "-key", key, "-subj", "/CN=stand-in", "-out", request, "-config", folder / "ca.cnf")
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-set_serial", start + 1, "-days", 30,
            "-extfile", folder / "server.ext", "-out", cert)
    return ca, cert, key


def pem_base64(path):
    return base64.b64encode(Path(path).read_bytes()).decode()
