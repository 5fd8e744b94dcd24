"""What a wrong environment file gets: exit code 2, the place and the cause; and nothing is touched."""

import re

import pytest

GOOD = """\
apiVersion: prestoctl/v1
kind: Environment
name: wrong
cluster:
  provider: local
presto:
  metadata:
    name: example
"""

# name: (content, what the message says after the file's name)
FILES = {
    "bad-yaml": (GOOD + "verify: [\n", r":10:1: "),
    "duplicate-key": (GOOD + "name: again\n", r":9:1: duplicate .*name"),
    "unknown-key": (GOOD.replace("local", "local\n  lokal: {}"), r":6:3: .*lokal.*did you mean .*local"),
    "wrong-type": (GOOD + "verify: 7\n", r":9:9: verify .*map"),
    "wrong-resource": (GOOD + "  spec:\n    worker:\n      count: many\n", r":11:14: spec.worker.count: .*integer"),
    "unknown-field": (GOOD + "  spec:\n    worker:\n      cuont: 2\n", r":11:7: spec.worker.cuont: unknown field"),
    "binary": (b"\x7fELF\x02\x01\x01\x00\x00\xff\xfe" * 100, r":1:\d+: binary"),
    "large": (("# " + "x" * 100 + "\n") * 200000, r": larger than \d+ (MiB|bytes)"),
    "missing": (None, r": No such file"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_file_is_refused_with_its_place_and_nothing_is_touched(stage, name):
    content, says = FILES[name]
    file = stage.tmp / f"{name}.yaml"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = stage.up(file=file, status=2)
    file.unlink(missing_ok=True)
    assert done.out == ""
    assert re.search(re.escape(str(file)) + says, done.err), done.err
    assert not stage.folder.exists()
    assert not stage.state.exists()
