"""Image archives: writes small ones, reads what any of them holds. Knows nothing of clusters."""

import hashlib
import io
import json
import os
import tarfile

from .say import Fail

META_MOST = 4 << 20
NAME = "io.containerd.image.name"
REF = "org.opencontainers.image.ref.name"


def _add(tar, name, data, mode=0o644):
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    tar.addfile(info, io.BytesIO(data))


def write_image(path, name, files, entrypoint, user="65534:65534"):
    """A one-layer image of executable files as an OCI layout that docker can load, too. No clock: reproducible."""
    blobs = {}

    def blob(data, kind):
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for file, data in sorted(files.items()):
            _add(tar, file, data, 0o755)
    layer = blob(raw.getvalue(), "layer.v1.tar")
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    config = blob(json.dumps({"architecture": arch, "os": "linux",
                              "config": {"Entrypoint": entrypoint, "User": user},
                              "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode(), "config.v1+json")
    manifest = blob(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                                "config": config, "layers": [layer]}).encode(), "manifest.v1+json")
    manifest["annotations"] = {NAME: name, REF: name.rsplit(":", 1)[1]}
    index = {"schemaVersion": 2, "manifests": [manifest]}

    def at(descriptor):
        return "blobs/sha256/" + descriptor["digest"].split(":")[1]

    docker = [{"Config": at(config), "RepoTags": [name], "Layers": [at(layer)]}]
    with tarfile.open(path + ".new", mode="w", format=tarfile.USTAR_FORMAT) as tar:
        _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        for file, data in sorted(blobs.items()):
            _add(tar, file, data)
        _add(tar, "index.json", json.dumps(index).encode())
        _add(tar, "manifest.json", json.dumps(docker).encode())
    os.rename(path + ".new", path)


class Archive:
    """What an image archive holds: images as {name: manifest digest, or None when the file does not say}."""

    def __init__(self, path):
        self.path = path
        self.images = {}
        self.rename = None      # an index.json with the names in it, where the file's own lacks them
        try:
            with tarfile.open(path, "r:*") as tar:
                self._read(tar)
        except FileNotFoundError as e:
            raise Fail(f"{path} does not exist", "build the image first") from e
        except IsADirectoryError as e:
            raise Fail(f"{path} is a folder", "give the tar file of an image") from e
        except (tarfile.TarError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as e:
            raise Fail(f"{path} is not an image archive ({e})", "give an OCI layout or docker archive as tar") from e
        if not self.images:
            raise Fail(f"{path} holds no named image", "name it: annotation io.containerd.image.name, or RepoTags")

    def _read(self, tar):
        wanted, small = {}, {}
        for m in tar:
            if not m.isfile():
                continue
            name = m.name.removeprefix("./")
            if name in ("index.json", "manifest.json"):
                if m.size > META_MOST:
                    raise ValueError(f"{name} has {m.size} bytes")
                wanted[name] = json.load(tar.extractfile(m))
            elif name.startswith("blobs/sha256/") and m.size <= 1 << 20:
                small["sha256:" + name[13:]] = m
        docker = wanted.get("manifest.json") or []
        index = wanted.get("index.json")
        if index is None:
            self.images = {tag: None for entry in docker for tag in entry.get("RepoTags") or []}
            return
        for d in index["manifests"]:
            notes = d.setdefault("annotations", {})
            if NAME not in notes:
                notes[NAME] = self._name_of(tar, d, small, docker)
                self.rename = json.dumps(index).encode()
            if notes[NAME]:
                self.images[notes[NAME]] = d["digest"]

    @staticmethod
    def _name_of(tar, descriptor, small, docker):
        """The name of an image that index.json does not name in full: docker's, for the same configuration."""
        ref = descriptor["annotations"].get(REF, "")
        if "/" in ref and ":" in ref:
            return ref
        blob = small.get(descriptor["digest"])
        config = json.load(tar.extractfile(blob)).get("config", {}).get("digest", "") if blob else ""
        for entry in docker:
            if config and config.split(":")[1] in entry["Config"]:
                return (entry.get("RepoTags") or [""])[0]
        return ""

    def stream(self, out):
        """Writes the archive with the completed index.json in place of the file's own."""
        with tarfile.open(self.path, "r:*") as tar, tarfile.open(fileobj=out, mode="w|") as to:
            for m in tar:
                if m.name.removeprefix("./") == "index.json":
                    _add(to, "index.json", self.rename)
                else:
                    to.addfile(m, tar.extractfile(m) if m.isfile() else None)
