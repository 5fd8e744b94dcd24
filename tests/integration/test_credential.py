"""prestoctl credential and auth status, against the Google stand-in: every login, the cache, and no secret anywhere else."""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRESTOCTL = ROOT / "build" / os.environ.get("VARIANT", "debug") / "prestoctl"
sys.path.insert(0, str(ROOT / "tests/peers/google"))
sys.dont_write_bytecode = True

from client import Google               # noqa: E402  pylint: disable=wrong-import-position

CI = "ci@demo-proj.iam.gserviceaccount.com"
DEPLOY = "deploy@demo-proj.iam.gserviceaccount.com"
FEDERATED = ("principal://iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/pool/subject/"
             "repo:o/r:ref:refs/heads/main")
GROUP = "client.authentication.k8s.io/"
LOGINS = [
    ("sa", "service account key", CI),
    ("user", "user login", "dev@example.com"),
    ("token", "access token", "dev@example.com"),
    ("wif-file", "workload identity federation (file)", FEDERATED),
    ("wif-url", "workload identity federation (URL)", FEDERATED),
    ("wif-executable", "workload identity federation (executable)", FEDERATED),
    ("wif-impersonated", "impersonated service account, by workload identity federation (file)", DEPLOY),
    ("impersonated", "impersonated service account, by user login", DEPLOY),
    ("metadata", "metadata server", "sa@demo-proj.iam.gserviceaccount.com"),
]


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    with Google(tmp_path_factory.mktemp("google"), scale=300) as google:
        yield google


@pytest.fixture(name="google")
def _google(server):
    server.reset()
    server.control("DELETE", "requests")
    return server


class Shell:
    """Runs prestoctl as somebody with one credential; no output but the ExecCredential may have a secret in it."""

    def __init__(self, google, home):
        self.google, self.home = google, home

    def env(self, credential="sa", **more):
        env = self.google.env(self.home, credential=credential, GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES="1")
        env.pop("KUBERNETES_EXEC_INFO", None)
        env.pop("XDG_CACHE_HOME", None)
        return {k: v for k, v in {**env, **more}.items() if v is not None}

    def run(self, *args, rc=0, credential="sa", **env):
        done = subprocess.run([PRESTOCTL, *args], env=self.env(credential, **env), capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == rc, done
        assert not self.google.secrets_in(done.stderr), done.stderr
        if args[0] != "credential":
            assert not self.google.secrets_in(done.stdout), done.stdout
        return done

    def token(self, *args, **more):
        return json.loads(self.run("credential", *args, **more).stdout)["status"]["token"]

    def fetches(self):
        return len([r for r in self.google.requests() if r["path"].endswith("/token")])

    def cached(self):
        return sorted((self.home / ".cache/prestoctl/tokens").glob("*.json"))


@pytest.fixture(name="shell")
def _shell(google, tmp_path):
    return Shell(google, tmp_path)


# --- auth status ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("credential, kind, principal", LOGINS)
def test_status_says_which_login_it_is_and_whose(shell, credential, kind, principal):
    done = json.loads(shell.run("auth", "status", "-o", "json", credential=credential).stdout)
    assert done["ok"] and done["kind"] == kind and done["principal"] == principal, done
    assert done["universe"] == "googleapis.com" and done["project"] == "demo-proj"
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", done["expiry"])
    if credential not in ("token", "metadata"):
        assert done["source"] == f"GOOGLE_APPLICATION_CREDENTIALS: {shell.google.credentials[credential]}"
    text = shell.run("auth", "status", credential=credential).stdout
    assert f"credential     {kind}\n" in text and f"principal      {principal}\n" in text, text
    assert re.search(r"token lasts    \d+m\d\ds? \(until 20", text), text


@pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed")
def test_status_knows_the_login_of_gcloud(shell):
    env = shell.env(None)
    subprocess.run(["gcloud", "auth", "activate-service-account", "--key-file", shell.google.credentials["sa"]], env=env,
                   check=True, capture_output=True, timeout=60)
    done = json.loads(shell.run("auth", "status", "-o", "json", credential=None).stdout)
    assert (done["kind"], done["source"], done["principal"]) == ("gcloud login", "gcloud", CI), done
    assert shell.token(credential=None) == shell.token(credential=None)
    key = shell.cached()
    subprocess.run(["gcloud", "config", "set", "account", "other@example.com"], env=env, check=True, capture_output=True,
                   timeout=60)
    shell.run("credential", credential=None, rc=4)
    assert shell.cached() == key


def test_status_shows_who_is_acted_for(shell):
    done = json.loads(shell.run("auth", "status", "-o", "json", "--impersonate-service-account", DEPLOY).stdout)
    assert done["actsAs"] == DEPLOY and done["principal"] == DEPLOY and CI in done["kind"]
    text = shell.run("auth", "status", "--impersonate-service-account", DEPLOY).stdout
    assert f"principal      {DEPLOY}\n" in text and "acts as" not in text      # once is enough
    done = shell.run("auth", "status", credential="user").stdout
    assert "quota project  demo-proj\n" in done


@pytest.mark.parametrize("change, message, hint", [
    ({"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere.json"}, "/nowhere.json: No such file", "correct the path"),
    ({"GOOGLE_APPLICATION_CREDENTIALS": "/dev/null"}, "/dev/null", ""),
    ({"GOOGLE_OAUTH_ACCESS_TOKEN": "two words"}, "GOOGLE_OAUTH_ACCESS_TOKEN", "gcloud auth print-access-token"),
    ({"GOOGLE_APPLICATION_CREDENTIALS": None, "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": None, "PATH": "/nowhere"},
     "no Google credential", "gcloud auth application-default login"),
])
def test_a_login_that_does_not_work_is_exit_code_4_with_a_remedy(shell, change, message, hint):
    done = shell.run("auth", "status", rc=4, **change)
    assert message in done.stderr and hint in done.stderr, done.stderr
    said = json.loads(shell.run("auth", "status", "-o", "json", rc=4, **change).stderr)
    assert said["exit"] == 4 and message in said["message"], said
    for other in (["credential"], ["gc"], ["list", "--project", "demo-proj"]):
        shell.run(*other, rc=4, **change)


def test_a_token_that_is_worth_nothing_is_said_by_status(shell, tmp_path):
    (tmp_path / "none").write_text("ya29.worth-nothing")
    done = shell.run("auth", "status", "--access-token-file", tmp_path / "none", rc=4)
    assert "does not accept the access token" in done.stderr and "principal" not in done.stdout
    done = shell.run("auth", "status", "--access-token-file", tmp_path / "missing", rc=4)
    assert f"{tmp_path / 'missing'}: No such file" in done.stderr


def test_a_revoked_user_is_told_to_log_in_and_still_sees_which_login_it_was(shell):
    shell.google.fault(preset="oauth-revoked", match={"path": "*/token"}, times=0)
    done = shell.run("auth", "status", credential="user", rc=4)
    assert "credential     user login\n" in done.stdout and "gcloud auth application-default login" in done.stderr
    said = json.loads(shell.run("auth", "status", "-o", "json", credential="user", rc=4).stdout)
    assert said["ok"] is False and said["kind"] == "user login" and "expiry" not in said


def test_auth_wants_a_word_that_it_knows(shell):
    assert "say what: auth status" in shell.run("auth", rc=2).stderr
    assert "auth has no 'login'" in shell.run("auth", "login", rc=2).stderr


# --- credential -------------------------------------------------------------------------------------------------------

def exec_info(version, kind="ExecCredential"):
    return json.dumps({"apiVersion": GROUP + version, "kind": kind, "spec": {"interactive": False}})


@pytest.mark.parametrize("info, version", [(None, "v1"), ("", "v1"), (exec_info("v1"), "v1"), (exec_info("v1beta1"),
                                                                                              "v1beta1")])
def test_the_answer_has_the_version_of_the_question(shell, info, version):
    for _ in range(2):
        got = json.loads(shell.run("credential", KUBERNETES_EXEC_INFO=info).stdout)
        assert got.keys() == {"apiVersion", "kind", "status"} and got["kind"] == "ExecCredential"
        assert got["apiVersion"] == GROUP + version and got["status"].keys() == {"token", "expirationTimestamp"}
        end = time.mktime(time.strptime(got["status"]["expirationTimestamp"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        assert 225 < end - time.time() <= 3601
    assert shell.fetches() == 1


@pytest.mark.parametrize("info, message", [
    (exec_info("v1alpha1"), "version client.authentication.k8s.io/v1alpha1 of ExecCredential is not known"),
    (exec_info("v1", "Pod"), "it is no ExecCredential"), ("[]", "it is no ExecCredential"), ("{", "KUBERNETES_EXEC_INFO"),
])
def test_an_unknown_question_gets_no_token(shell, info, message):
    done = shell.run("credential", rc=1, KUBERNETES_EXEC_INFO=info)
    assert message in done.stderr and not done.stdout
    assert not shell.fetches()


@pytest.mark.parametrize("credential", [login[0] for login in LOGINS])
def test_a_token_of_every_login_is_let_in_and_kept(shell, google, credential):
    token = shell.token(credential=credential)
    assert google.http("GET", "/v1/projects/demo-proj/locations/us-central1-a/clusters", token=token)[0] == 200
    before = len(google.requests())
    assert shell.token(credential=credential) == token
    if credential in ("token", "metadata"):     # a file that is read again; a server that is looked for first
        assert len(shell.cached()) == (credential == "metadata")
    else:
        assert len(google.requests()) == before and len(shell.cached()) == 1


def test_the_cache_is_for_its_owner_alone_and_nothing_else_has_a_secret(shell, google):
    token = shell.token()
    shell.run("credential", "-v")
    (file,) = shell.cached()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and token in file.read_text()
    for folder in (file.parent, file.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    others = [f for f in shell.home.rglob("*") if f.is_file() and f != file]
    assert others and not [f for f in others if google.secrets_in(f.read_text(errors="replace"))]


def test_a_token_in_a_variable_is_passed_on_and_not_kept(shell, google):
    token = google.token
    got = json.loads(shell.run("credential", GOOGLE_OAUTH_ACCESS_TOKEN=token).stdout)
    assert got["status"] == {"token": token} and not shell.cached()


def test_each_login_has_a_token_of_its_own(shell, google):
    tokens = [shell.token(), shell.token(credential="user"), shell.token("--impersonate-service-account", DEPLOY),
              shell.token(CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT="other@demo-proj.iam.gserviceaccount.com"),
              shell.token("--credentials", google.credentials["sa"], credential=None)]
    assert len(set(tokens)) == 5 and len(shell.cached()) == 5
    assert shell.token() == tokens[0]


def test_a_credential_file_that_changes_is_another_login(shell, google, tmp_path):
    key = tmp_path / "key.json"
    shutil.copy(google.credentials["sa"], key)
    first = shell.token("--credentials", str(key))
    os.utime(key, (1, 1))
    assert shell.token("--credentials", str(key)) == first
    shutil.copy(google.credentials["user"], key)
    assert shell.token("--credentials", str(key)) != first


def test_a_relative_path_is_read_as_well(shell, google, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    tokens = []
    for credential in ("sa", "user"):
        shutil.copy(google.credentials[credential], "key.json")
        tokens.append(shell.token(GOOGLE_APPLICATION_CREDENTIALS="key.json"))
    assert tokens[0] != tokens[1]


def test_every_variable_that_the_login_reads_is_in_the_key():
    found = (ROOT / "gke/auth_find.c").read_text()
    table = set(re.findall(r'"([A-Z_]+)"', found.split("auth_places[] = {")[1].split("struct ")[0]))
    other = {"PATH", "GOOGLE_CLOUD_QUOTA_PROJECT", "CLOUDSDK_BILLING_QUOTA_PROJECT"}     # have no say in whose the token is
    for file in (ROOT / "gke").glob("auth*.c"):
        text = file.read_text()
        for call in re.findall(r"(?:gke_getenv|gke_env_true|first_set)\(([^;]*?)\)", text):
            assert set(re.findall(r'"([A-Z_]+)"', call)) <= table | other, (file.name, call)
    assert re.search(r'gke_getenv\([^)]*"GOOGLE_APPLICATION_CREDENTIALS"\)', found)


def rewrite(file, **change):
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


@pytest.mark.parametrize("seconds, kept", [(3000, True), (260, True), (200, False), (-10, False), (14 * 3600, False)])
def test_a_token_is_used_while_it_lasts(shell, seconds, kept):
    first = shell.token()
    rewrite(shell.cached()[0], expiry=stamp(seconds))
    assert (shell.token() == first) == kept
    assert shell.fetches() == (1 if kept else 2)


def test_no_cache_neither_reads_nor_writes(shell):
    shell.run("credential", "--no-cache")
    assert not shell.cached()
    first = shell.token()
    text = shell.cached()[0].read_text()
    assert shell.token("--no-cache") != first and shell.cached()[0].read_text() == text


@pytest.mark.parametrize("spoil, warns", [
    (lambda f: f.chmod(0o644), True),
    (lambda f: f.write_text("{"), True),
    (lambda f: f.write_text("x" * 100000), True),
    (lambda f: rewrite(f, version=2), True),
    (lambda f: rewrite(f, token="a\nb"), True),
    (lambda f: rewrite(f, token=7), True),
    (lambda f: (f.rename(f.with_suffix(".x")), f.symlink_to(f.with_suffix(".x"))), True),
    (lambda f: (f.unlink(), os.mkfifo(f, 0o600)), True),
    (lambda f: f.unlink(), False),
])
def test_a_file_that_is_not_trusted_is_replaced(shell, spoil, warns):
    first = shell.token()
    file = shell.cached()[0]
    spoil(file)
    done = shell.run("credential")
    assert json.loads(done.stdout)["status"]["token"] != first
    assert ("is not used: it" in done.stderr or "is not used: Too many" in done.stderr) == warns, done.stderr
    if not file.is_fifo():
        assert stat.S_IMODE(file.lstat().st_mode) == 0o600 and not file.is_symlink()
        assert shell.token() == json.loads(done.stdout)["status"]["token"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_belongs_to_somebody_else_is_not_used(shell):
    first = shell.token()
    os.chown(shell.cached()[0], 65534, 65534)
    second = shell.token()
    assert second != first and shell.cached()[0].stat().st_uid == 0
    os.chown(shell.cached()[0].parent, 65534, 65534)
    done = shell.run("credential")
    assert "tokens are not kept" in done.stderr and json.loads(done.stdout)["status"]["token"] != second


def test_a_folder_that_is_open_to_others_is_not_used(shell):
    shell.token()
    shell.cached()[0].parent.chmod(0o755)
    assert "is not a folder that only you can open" in shell.run("credential").stderr
    assert shell.fetches() == 2


def test_without_a_writable_home_a_token_is_given_all_the_same(shell):
    (shell.home / "file").write_text("")
    done = shell.run("credential", XDG_CACHE_HOME=str(shell.home / "file"))
    assert "tokens are not kept" in done.stderr and done.stdout
    assert shell.token(XDG_CACHE_HOME=str(shell.home / "own"))
    assert list((shell.home / "own/prestoctl/tokens").glob("*.json"))


def test_many_at_once_fetch_one_token(shell):
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        got = set(pool.map(lambda _: shell.token(), range(20)))
    assert len(got) == 1 and shell.fetches() == 1
    leftovers = [f.name for f in shell.cached()[0].parent.iterdir() if not f.name.endswith((".json", ".lock"))]
    assert not leftovers


def test_old_files_go(shell):
    shell.token()
    old = shell.cached()[0].parent / "0123.json"
    old.write_text("{}")
    os.utime(old, (1, 1))
    shell.token(credential="user")
    assert not old.exists() and len(shell.cached()) == 2


def test_a_cached_token_needs_no_server_and_no_time(shell):
    shell.token()
    args, env = [PRESTOCTL, "credential"], shell.env(CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER="http://127.0.0.1:1/")
    seen = subprocess.run(["strace", "-f", "-e", "trace=%network,clone,fork,vfork,epoll_create1", "-o",
                           shell.home / "trace", *args], env={**env, "ASAN_OPTIONS": "detect_leaks=0"}, capture_output=True,
                          check=False) if shutil.which("strace") else None
    if seen:
        assert seen.returncode == 0 and "socket" not in (shell.home / "trace").read_text()
    best = min(clocked(args, env) for _ in range(10))
    assert best < 0.1, best                     # a build with sanitizers; tests/bench has the real figure


def clocked(args, env):
    began = time.monotonic()
    subprocess.run(args, env=env, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began
