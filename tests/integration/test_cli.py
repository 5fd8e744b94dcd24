"""prestoctl at a terminal, without a cluster: wrong usage, wrong files, input and output that fail. Fast."""
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / os.environ.get("VARIANT", "debug")
PRESTOCTL = BUILD / "prestoctl"
COMMANDS = ("up down status list gc plan verify query logs ui kubeconfig auth credential explain manifests completion version "
            "help").split()
HEAD = "apiVersion: prestoctl/v1\nkind: Environment\nname: demo\ncluster:\n  provider: existing\n"
PRESTO = "presto:\n  metadata: {name: example}\n"
SPEC = "presto:\n  metadata: {name: example}\n  spec:\n"


@pytest.fixture(name="place")
def _place(tmp_path):
    """A folder of its own, with a kubeconfig that leads to a closed port."""
    (tmp_path / "home").mkdir()
    (tmp_path / "kubeconfig").write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n"
        "users: [{name: u, user: {token: sesame-open-0123456789}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n")
    return tmp_path


def surroundings(place, **more):
    kept = {key: os.environ[key] for key in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS") if key in os.environ}
    return {**kept, "HOME": str(place / "home"), "XDG_STATE_HOME": str(place / "state"), "TERM": "xterm", **more}


def run(place, *args, **options):
    options.setdefault("env", surroundings(place))
    return subprocess.run([PRESTOCTL, *args], cwd=place, text=True, timeout=20, check=False,
                          **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options})


USAGE = [
    ("", "no command given", "see prestoctl help"),
    ("uup", "unknown command 'uup'", "did you mean 'up'?"),
    ("gibberish", "unknown command 'gibberish'", "see prestoctl help"),
    ("--foo", "unknown option --foo", "see prestoctl help"),
    ("up", "no environment file is named", "up -f"),
    ("up word", "'word' is one word too many", "usage: prestoctl up -f FILE"),
    ("up -f", "-f needs a value: FILE", "see prestoctl help up"),
    ("up --fil x", "unknown option --fil", "did you mean --file?"),
    ("up -z", "unknown option -z", "see prestoctl help up"),
    ("plan", "no environment file is named", "plan -f"),
    ("plan --timeout soon", "'soon' is not a duration", "15m"),
    ("version -o xml", "'xml' is not one of text, json", ""),
    ("version --color mauve", "'mauve' is not one of auto, always, never", ""),
    ("version --verbose=yes", "--verbose takes no value", ""),
    ("help upp", "unknown command 'upp'", "did you mean 'up'?"),
    ("help gibberish", "unknown command 'gibberish'", "see prestoctl help"),
    ("completion", "bash, zsh or fish", ""),
    ("completion tcsh", "bash, zsh or fish", ""),
    ("explain gibberish", "no field 'gibberish'", "see prestoctl explain"),
    ("explain cluster.gke.nodePools.gibberish", "no field", "see prestoctl explain cluster.gke.nodePools"),
    ("explain cluster.locl", "no field 'cluster.locl'", "did you mean 'local'?"),
    ("explain presto.spec.worker.cont", "no field", "presto.spec.worker.count"),
    ("explain worker.count", "no field", "presto.spec.worker.count"),
    ("status nowhere", "no environment 'nowhere' is known here", "prestoctl up -f FILE"),
    ("status ../x", "is not the name of an environment", ""),
    ("status", "no environment is known here", "--context"),
    ("down", "no environment is known here", "prestoctl up -f FILE"),
    ("down a -f b", "both -f b and 'a' are given", ""),
    ("query SQL -f x", "SQL is given twice", ""),
    ("query SQL", "no environment is known here", "--context"),
    ("query --format xml SQL", "'xml' is not one of table, csv, json", ""),
    ("logs --tail few", "'few' is not a number", ""),
    ("logs --follow --previous", "exclude each other", ""),
    ("ui --port 99999", "99999 is no port", ""),
    ("kubeconfig --write", "--write needs a value", ""),
]


@pytest.mark.parametrize("line,message,hint", USAGE, ids=[row[0] or "nothing" for row in USAGE])
def test_wrong_usage_is_one_error_with_a_remedy(place, line, message, hint):
    done = run(place, *line.split())
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("error: ") and message in lines[0]
    assert len(lines) <= 2 and hint in done.stderr
    assert not (place / "state").exists()


@pytest.mark.parametrize("line", ["gibberish -o json", "--foo -o json", "up --foo --output=json", "up -o json --foo",
                                  "-ojson up", "-o json explain gibberish"])
def test_wrong_usage_is_json_where_json_was_asked_for(place, line):
    done = run(place, *line.split())
    error = json.loads(done.stderr)
    assert (done.returncode, error["event"], error["exit"]) == (2, "error", 2)


def row(text, message, hint=""):
    return text.encode() if isinstance(text, str) else text, message, hint


FILES = {
    "empty": row("", r":1:1: the file is empty", "examples/local.yaml"),
    "text": row("hello\n", r":1:1: the file must be a map, but this is text"),
    "bad YAML": row(HEAD + "presto: [\n", r":7:1: did not find"),
    "tab": row(HEAD + "presto:\n\tmetadata: x\n", r":7:1: ", "YAML allows no tabs"),
    "duplicate": row(HEAD + "name: again\n" + PRESTO, r':6:1: duplicate key "name": keep one of them'),
    "nearest": row(HEAD + PRESTO + "verfy: {}\n", r":8:1: unknown key 'verfy'; did you mean 'verify'\?"),
    "unknown": row(HEAD + PRESTO + "zzzzzz: 1\n", r":8:1: unknown key 'zzzzzz'; known here: .*cluster"),
    "number": row(HEAD.replace("demo", "5") + PRESTO, r":3:7: name must be text, but this is a number; put it in quotes"),
    "list": row(HEAD + "presto: []\n", r":6:9: presto must be a map or text, but this is a list"),
    "missing key": row(HEAD, r":1:1: 'presto' is missing", "prestoctl explain"),
    "yes": row(HEAD + PRESTO + "operator: {namespace: yes}\n", r':8:23: "yes" is a word .*quote it'),
    "anchor": row(HEAD + "presto: &a {}\n", r':6:9: anchor "a" is not supported'),
    "two documents": row(HEAD + PRESTO + "---\na: b\n", r":1:1: 2 documents"),
    "provider": row(HEAD.replace("existing", "exsting") + PRESTO, r":5:13: 'exsting' .*did you mean 'existing'\?"),
    "amount": row(HEAD + PRESTO + "operator: {resources: {limits: {memory: lots}}}\n", r":8:41: 'lots' is no amount of memory"),
    "binary": row(bytes(range(256)) * 300, r":1:1: binary, not YAML"),
    "20 MB": row(b"a" * 20_000_000, r": larger than 4 MiB", "examples/local.yaml"),
    "field type": row(SPEC + "    worker:\n      count: two\n" + HEAD,
                      r':5:14: spec.worker.count: Invalid value: "string": spec.worker.count in body must be of type integer',
                      "prestoctl explain presto.spec.worker.count"),
    "field unknown": row(SPEC + "    worker:\n      cuont: 2\n" + HEAD,
                         r':5:7: spec.worker.cuont: unknown field "spec.worker.cuont"', "did you mean spec.worker.count?"),
    "field enum": row(SPEC + "    service: {type: Foo}\n" + HEAD, r':4:21: spec.service.type: Unsupported value: "Foo"'),
    "resource missing": row(HEAD + "presto: nowhere.yaml\n", r":6:9: .*nowhere.yaml: No such file"),
    "resource folder": row(HEAD + "presto: home\n", r":6:9: .*home is a folder; name a file"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_environment_file_names_the_place_and_nothing_is_touched(place, name):
    content, message, hint = FILES[name]
    (place / "env.yaml").write_bytes(content)
    for command in ("plan", "up"):
        done = run(place, command, "-f", "env.yaml")
        assert done.returncode == 2
        lines = done.stderr.splitlines()
        assert re.match("error: env.yaml" + message, lines[0])
        assert any(line.startswith("hint: ") for line in lines) and hint in lines[-1]
    assert done.stdout == "" and not (place / "state").exists()


@pytest.mark.parametrize("name,message", [("nowhere.yaml", "No such file or directory"), ("home", "Is a directory")])
def test_a_file_that_cannot_be_read_is_named(place, name, message):
    done = run(place, "up", "-f", name)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, f"error: {name}: {message}")
    assert "examples/local.yaml" in done.stderr


def test_a_mark_in_front_and_the_line_ends_of_other_systems_are_read(place):
    (place / "env.yaml").write_bytes(b"\xef\xbb\xbf" + (HEAD + PRESTO).replace("\n", "\r\n").encode())
    assert run(place, "manifests", "-f", "env.yaml").returncode == 0


@pytest.mark.parametrize("args,message", [
    (("--kubeconfig", "nowhere"), "nowhere: No such file or directory"),
    (("--kubeconfig", "home"), "home: Is a directory"),
    (("--kubeconfig", "binary"), "binary:1:1: binary, not YAML"),
    (("--kubeconfig", "kubeconfig", "--context", "other"), 'kubeconfig has no context "other"'),
    (("--kubeconfig", "kubeconfig"), "127.0.0.1:1/apis"),
    (("-n", "x"), "home/.kube/config: No such file or directory"),
])
def test_a_cluster_that_cannot_be_reached_is_one_line(place, args, message):
    (place / "binary").write_bytes(bytes(300))
    done = run(place, "status", *args)
    assert done.returncode == 1 and message in done.stderr.splitlines()[0]


def test_an_api_server_that_is_away_is_asked_until_the_time_is_up(place):
    (place / "env.yaml").write_text(HEAD + "  existing: {kubeconfig: kubeconfig}\n" + PRESTO)
    began = time.monotonic()
    done = run(place, "up", "-f", "env.yaml", "--timeout", "3s", "-o", "json", "--verbose")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 3 and 1.5 < time.monotonic() - began < 6
    assert events[-1]["code"] == "timeout" and "connection refused" in events[-1]["message"]
    assert "sesame" not in done.stderr + done.stdout
    state = place / "state/prestoctl/demo/state.json"
    assert json.loads(state.read_text())["name"] == "demo" and state.stat().st_mode & 0o777 == 0o600
    assert "sesame" not in state.read_text()


def test_an_interrupted_up_says_how_to_go_on(place):
    (place / "env.yaml").write_text(HEAD + "  existing: {kubeconfig: kubeconfig}\n" + PRESTO)
    with subprocess.Popen([PRESTOCTL, "up", "-f", "env.yaml"], cwd=place, env=surroundings(place), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert "cluster" in child.stderr.readline()
        again = run(place, "up", "-f", "env.yaml")
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=10)
    assert child.returncode == 130 and "prestoctl down demo" in stderr
    assert again.returncode == 1 and "another prestoctl is working on the environment 'demo'" in again.stderr


@pytest.mark.parametrize("args", [("up", "-f", "-"), ("plan", "-f", "pipe")])
def test_waiting_for_input_can_be_interrupted(place, args):
    os.mkfifo(place / "pipe")
    with subprocess.Popen([PRESTOCTL, *args], cwd=place, env=surroundings(place), stdin=subprocess.PIPE) as child:
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        try:
            assert child.wait(timeout=5) in (-signal.SIGINT, 130)
        finally:
            child.kill()


def test_a_damaged_state_is_said_and_the_file_finds_everything_again(place):
    (place / "env.yaml").write_text(HEAD + "  existing: {kubeconfig: kubeconfig}\n" + PRESTO)
    folder = place / "state/prestoctl/demo"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text("{")
    assert run(place, "status", "demo").returncode == 2
    assert "state.json cannot be read; going on without it" in run(place, "status", "-f", "env.yaml").stderr


def test_the_version_is_also_an_option(place):
    assert run(place, "--version").stdout == run(place, "version").stdout != ""


def test_output_that_cannot_be_written_is_an_error(place):
    for args in (("version",), ("manifests",), ("explain", "presto.spec"), ("-o", "json", "version")):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = run(place, *args, stdout=full)
        assert done.returncode == 1 and "standard output cannot be written" in done.stderr


@pytest.mark.parametrize("args", [("version",), ("help",), ("help", "up"), ("explain",), ("explain", "presto.spec"),
                                  ("manifests",), ("completion", "bash")])
def test_every_result_is_json_where_json_was_asked_for(place, args):
    done = run(place, "-o", "json", *args)
    assert done.returncode == 0 and isinstance(json.loads(done.stdout), dict) and done.stderr == ""


def test_a_kubeconfig_is_written_for_its_owner_alone(place):
    done = run(place, "kubeconfig", "--kubeconfig", "kubeconfig", "--write", "mine")
    assert done.stdout == f"export KUBECONFIG={place}/mine\n"
    assert (place / "mine").stat().st_mode & 0o777 == 0o600
    done = run(place, "kubeconfig", "--kubeconfig", "mine", "--print", "-o", "json")
    assert json.loads(done.stdout)["users"][0]["user"]["token"].startswith("sesame")
    done = run(place, "kubeconfig", "--kubeconfig", "kubeconfig", "--write", "mine")
    assert done.returncode == 1 and "--force" in done.stderr


def test_a_pipe_or_device_is_never_replaced_by_a_file(place):
    os.mkfifo(place / "pipe")
    done = run(place, "kubeconfig", "--kubeconfig", "kubeconfig", "--write", "pipe", "--force")
    assert done.returncode == 1 and "is not a file" in done.stderr and (place / "pipe").is_fifo()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root to become somebody else")
def test_the_local_provider_needs_root_and_says_so(place):
    with tempfile.TemporaryDirectory() as folder:  # open to others, unlike pytest's own
        os.chmod(folder, 0o755)
        program = shutil.copy(PRESTOCTL, folder)
        os.mkdir(folder + "/state", 0o777)
        os.chown(folder + "/state", 65534, 65534)
        for command in ("plan", "up", "down"):
            done = subprocess.run([program, command, "-f", "-"], input=HEAD.replace("existing", "local") + PRESTO, text=True,
                                  capture_output=True, check=False, timeout=20, user=65534, group=65534, extra_groups=[],
                                  cwd="/", env={**surroundings(place), "HOME": "/", "XDG_STATE_HOME": folder + "/state"})
            assert done.returncode == 4
            assert "the local Kubernetes belongs to root, and you are not\nhint: " in done.stderr


def terminal(place, *args, **more):
    """What a command writes to a terminal that is its standard error, and its exit code."""
    master, slave = pty.openpty()
    with subprocess.Popen([PRESTOCTL, *args], cwd=place, env=surroundings(place, **more), stdin=subprocess.DEVNULL,
                          stdout=slave, stderr=slave) as child:
        os.close(slave)
        seen = b""
        while select.select([master], [], [], 15)[0]:
            try:
                seen += os.read(master, 4096)
            except OSError:
                break
        os.close(master)
    return seen.decode(), child.returncode


@pytest.mark.parametrize("args,more,coloured", [
    ((), {}, True), (("--color", "never"), {}, False), ((), {"NO_COLOR": "1"}, False), ((), {"TERM": "dumb"}, False)])
def test_colours_are_for_terminals_that_want_them(place, args, more, coloured):
    text, code = terminal(place, *args, "gibberish", **more)
    assert code == 2 and ("\x1b[31m" in text) == coloured


def test_help_fits_a_terminal_and_names_every_command(place):
    for args in [("help",)] + [("help", command) for command in COMMANDS]:
        done = run(place, *args)
        assert done.returncode == 0 and max(len(line) for line in done.stdout.splitlines()) <= 100, args
        assert done.stdout == run(place, *(args[1:] or ()), "--help").stdout
    assert all(re.search(rf"^  {command} ", run(place, "help").stdout, re.M) for command in COMMANDS)


def test_explain_knows_every_field_that_it_lists(place):
    fields = re.findall(r"^(spec\S*)  \(", run(place, "explain", "presto.spec").stdout, re.M)
    assert len(fields) > 40
    for field in (*fields[::9], "presto", "cluster.local.nodes", "operator.resources.limits", "verify.queries.sql"):
        assert run(place, "explain", field).returncode == 0, field


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_well_formed(place, shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    (place / "script").write_text(run(place, "completion", shell).stdout)
    subprocess.run([shell, "-n", place / "script"], check=True, timeout=20)


def test_bash_completes_commands_options_and_their_words(place):
    cases = [("u", "up ui"), ("up --f", "--file"), ("-o ", "text json"), ("query --format=c", "csv"), ("help ver", "verify version"),
             ("completion ", "bash zsh fish"), ("logs w", "worker"), ("--context up stat", "status"), ("up -f ", ""), ("status ", "")]
    script = run(place, "completion", "bash").stdout
    for line, _ in cases:
        words = ["prestoctl", *(line.replace("=", " = ").split(" "))]
        script += f"COMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}\n"
        script += '_prestoctl; echo "${COMPREPLY[*]}"\n'
    done = subprocess.run(["bash", "--norc"], input=script, text=True, capture_output=True, check=True, timeout=20)
    assert done.stdout.splitlines() == [words for _, words in cases]
