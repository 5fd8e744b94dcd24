"""Writes one tar that is both an OCI layout and a docker archive.

Both indexes point at the same blobs, so containerd, docker, minikube and a
registry push see one and the same image. Equal input gives equal bytes: sorted
entries, one time stamp, fixed owners, gzip headers without name and time.
"""

import concurrent.futures
import hashlib
import io
import json
import os
import posixpath
import shutil
import tarfile
import time
import zlib

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
INDEX = "application/vnd.oci.image.index.v1+json"
CHUNK = 1 << 20


class Tree:
    """The content of one layer: absolute path -> TarInfo and where its bytes are."""

    def __init__(self, name):
        self.name = name
        self.entries = {}

    def _add(self, path, kind, mode, owner, source=None, size=0, target=""):
        info = tarfile.TarInfo(path.strip("/"))
        info.type, info.mode, info.size, info.linkname = kind, mode, size, target
        info.uid = info.gid = owner
        if info.name in self.entries:
            raise AssertionError(f"{self.name}: {path} is there twice")
        self.entries[info.name] = (info, source)

    def directory(self, path, mode=0o755, owner=0):
        self._add(path, tarfile.DIRTYPE, mode, owner)

    def symlink(self, path, target):
        self._add(path, tarfile.SYMTYPE, 0o777, 0, target=target)

    def data(self, path, content, mode=0o644):
        content = content.encode() if isinstance(content, str) else content
        self._add(path, tarfile.REGTYPE, mode, 0, content, len(content))

    def file(self, path, source, mode=0o644):
        self._add(path, tarfile.REGTYPE, mode, 0, source, os.stat(source).st_size)

    def has(self, path):
        return path.strip("/") in self.entries

    def sorted(self):
        """Entries by name, with the folders above them, which nobody has to name."""
        every = dict(self.entries)
        for name in self.entries:
            above = posixpath.dirname(name)
            while above and above not in every:
                info = tarfile.TarInfo(above)
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                every[above] = (info, None)
                above = posixpath.dirname(above)
        return [every[name] for name in sorted(every)]


def open_source(source):
    return io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")


class _Gzip:
    """File-like sink: hashes what comes in and what goes out."""

    def __init__(self, out):
        self.out, self.size = out, 0
        self.plain, self.packed = hashlib.sha256(), hashlib.sha256()
        self.deflate = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)

    def _emit(self, data):
        self.packed.update(data)
        self.out.write(data)
        self.size += len(data)

    def write(self, data):
        self.plain.update(data)
        self._emit(self.deflate.compress(data))
        return len(data)

    def close(self):
        self._emit(self.deflate.flush())


def write_layer(tree, folder, epoch):
    """Returns {"digest", "size", "diff_id"}; the blob is folder/<hex digest>."""
    draft = os.path.join(folder, f"layer-{tree.name}")
    with open(draft, "wb") as out:
        sink = _Gzip(out)
        with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT,
                          bufsize=CHUNK) as tar:
            for info, source in tree.sorted():
                info.mtime = epoch
                if info.isreg():
                    with open_source(source) as data:
                        tar.addfile(info, data)
                else:
                    tar.addfile(info)
        sink.close()
    digest = sink.packed.hexdigest()
    os.rename(draft, os.path.join(folder, digest))
    return {"digest": "sha256:" + digest, "size": sink.size,
            "diff_id": "sha256:" + sink.plain.hexdigest()}


def _json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _blob(folder, value, media_type):
    data = _json(value)
    digest = hashlib.sha256(data).hexdigest()
    with open(os.path.join(folder, digest), "wb") as out:
        out.write(data)
    return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}


def write_blobs(trees, ref, runtime, folder, epoch):
    """Layers (two at a time: zlib and hashing let go of the lock), config and manifest.

    Returns (index.json, manifest.json, compressed size of the layers).
    """
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        layers = list(pool.map(lambda tree: write_layer(tree, folder, epoch), trees))
    config = _blob(folder, {
        "architecture": "amd64", "os": "linux", "created": created, "config": runtime,
        "rootfs": {"type": "layers", "diff_ids": [layer["diff_id"] for layer in layers]},
        "history": [{"created": created, "created_by": tree.name} for tree in trees],
    }, CONFIG)
    manifest = _blob(folder, {
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config,
        "layers": [{"mediaType": LAYER, "digest": layer["digest"], "size": layer["size"]}
                   for layer in layers],
    }, MANIFEST)
    manifest["platform"] = {"architecture": "amd64", "os": "linux"}
    manifest["annotations"] = {
        "io.containerd.image.name": ref,
        "org.opencontainers.image.ref.name": ref.rpartition(":")[2],
    }
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]}
    def path(digest):
        return "blobs/" + digest.replace(":", "/")

    docker = [{"Config": path(config["digest"]), "RepoTags": [ref],
               "Layers": [path(layer["digest"]) for layer in layers]}]
    return index, docker, sum(layer["size"] for layer in layers)


def write_archive(out_path, index, docker, folder, epoch):
    """The outer tar; the two indexes come first, as a reader wants them first."""
    outer = Tree("archive")
    outer.directory("blobs")
    outer.directory("blobs/sha256")
    for name in os.listdir(folder):
        outer.file("blobs/sha256/" + name, os.path.join(folder, name))
    heads = Tree("heads")
    heads.data("oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
    heads.data("index.json", _json(index))
    heads.data("manifest.json", _json(docker))
    with tarfile.open(out_path, "w", format=tarfile.PAX_FORMAT) as tar:
        for info, source in heads.sorted() + outer.sorted():
            info.mtime = epoch
            if info.isreg():
                with open_source(source) as data:
                    tar.addfile(info, data)
            else:
                tar.addfile(info)


def read_index(tar_path):
    with tarfile.open(tar_path) as tar:
        return json.load(tar.extractfile("index.json"))


def extract(tree, folder):
    """The tree as plain files below folder; owners are the caller's."""
    os.makedirs(folder, exist_ok=True)
    for info, source in tree.sorted():
        path = os.path.join(folder, info.name)
        if info.isdir():
            os.makedirs(path, exist_ok=True)
            os.chmod(path, info.mode)
        elif info.issym():
            os.symlink(info.linkname, path)
        else:
            with open_source(source) as data, open(path, "wb") as out:
                shutil.copyfileobj(data, out, CHUNK)
            os.chmod(path, info.mode)
