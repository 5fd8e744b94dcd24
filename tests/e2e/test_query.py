"""What one does with a cluster that is there: ask it, prove it, look at its logs and its web UI."""

import http.client
import json
import re
import xml.etree.ElementTree as ElementTree

import pytest

from stage import until

REGIONS = "select regionkey, name from tpch.tiny.region where regionkey < 2 order by 1"
ENDLESS = "select count(*) from tpch.sf1000.lineitem"


@pytest.mark.parametrize("form, expected", [
    ("table", " regionkey | name\n-----------+--------\n         0 | AFRICA\n         1 | AMERICA\n(2 rows)\n"),
    ("csv", "regionkey,name\n0,AFRICA\n1,AMERICA\n"),
    ("json", '{"regionkey":0,"name":"AFRICA"}\n{"regionkey":1,"name":"AMERICA"}\n'),
], ids=["table", "csv", "json"])
def test_a_query_answers_in_each_format(presto, form, expected):
    assert presto.ctl("query", "--env", presto.name, "--format", form, REGIONS).out == expected


def test_a_file_of_statements_is_run_in_order(presto):
    file = presto.tmp / "two.sql"
    file.write_text("select 1 as a;\n-- a comment; with a semicolon\nselect 'x;y' as b;\n", encoding="utf-8")
    assert presto.ctl("query", "--env", presto.name, "-f", file, "--format", "csv").out == "a\n1\nb\nx;y\n"


def test_many_rows_come_complete_and_in_order(presto):
    rows = presto.sql("select custkey from tpch.tiny.customer order by custkey")
    assert rows == [[i] for i in range(1, 1501)]


def test_an_error_is_the_engines_message_with_its_place(presto):
    done = presto.ctl("query", "--env", presto.name, "select 1,\n  nope from tpch.tiny.region", status=1)
    assert done.out == ""
    assert "line 2:3: Column 'nope' cannot be resolved" in done.err
    lines = done.err.splitlines()
    at = next(i for i, line in enumerate(lines) if line.endswith("nope from tpch.tiny.region"))
    assert lines[at + 1].index("^") == lines[at].index("nope")


def test_ctrl_c_cancels_the_query_on_the_server(presto):
    mark = "e2e cancelled"
    running = presto.start("query", "--env", presto.name, f"{ENDLESS} -- {mark}")

    def seen():
        return presto.sql("select state, query_id from system.runtime.queries "
                          f"where query like '%{mark}' and query not like '%runtime.queries%'")
    until(lambda: seen() and seen()[0][0] == "RUNNING", what="the query runs")
    running.interrupt()
    assert running.wait(60).status == 130
    [[state, query]] = seen()
    assert state == "FAILED"
    assert presto.coordinator(f"/v1/query/{query}")["errorCode"]["name"] == "USER_CANCELED"
    until(lambda: presto.coordinator("/v1/cluster")["runningQueries"] == 0, 30, "nothing runs on")


def test_status_tells_of_every_pod(presto):
    told = json.loads(presto.ctl("status", presto.name, "--output", "json").out)
    assert told["ready"] is True and told["workers"] == told["workersAsked"] == presto.asked() and told["operatorReady"] is True
    names = set(presto.pods("coordinator")) | set(presto.pods("worker"))
    assert {pod["name"] for pod in told["pods"]} == names
    assert len(names) == 1 + presto.asked()
    assert {pod["state"] for pod in told["pods"]} == {"Ready"}
    text = presto.ctl("status", presto.name).out
    assert all(name in text for name in names) and f"{len(names) - 1} of {len(names) - 1}" in text


def test_verify_proves_every_part(presto):
    junit = presto.tmp / "verify.xml"
    done = presto.ctl("verify", "-f", presto.file, "--output", "json", "--junit", junit)
    told = json.loads(done.out)
    checks = {c["name"]: c["result"] for c in told["checks"]}
    assert told["ok"] is True and set(checks.values()) == {"ok"}
    for part in ("custom resource definition", "service account", "role", "operator", "coordinator", "web UI", "workers",
                 "SQL: select count(*) from tpch.tiny.nation", "catalog tpch"):
        assert part in checks
    suite = ElementTree.parse(junit).getroot().find("testsuite")
    assert suite.get("tests") == str(len(checks)) and suite.get("failures") == "0"
    assert {case.get("name") for case in suite.iter("testcase")} == set(checks)


def test_verify_fails_when_a_query_does_not_return_what_is_expected(presto):
    env = presto.environment()
    env["verify"] = {"queries": [{"sql": "select 1", "expect": 1}, {"sql": "select 1", "expect": 2}]}
    file = presto.write_file(env, presto.tmp / "verify.yaml")
    done = presto.ctl("verify", "-f", file, "--output", "json", "--junit", presto.tmp / "v.xml", status=1)
    results = [c["result"] for c in json.loads(done.out)["checks"] if c["name"] == "SQL: select 1"]
    assert results == ["ok", "FAILED"]
    assert ElementTree.parse(presto.tmp / "v.xml").getroot().find("testsuite").get("failures") == "1"


def test_logs_are_those_of_the_role_that_was_asked_for(presto):
    assert "SERVER STARTED" in presto.ctl("logs", "--env", presto.name, "coordinator", "--tail", "2000").out
    workers = presto.ctl("logs", "--env", presto.name, "worker", "--tail", "50").out
    for name in presto.pods("worker"):
        assert f"{name} | " in workers
    assert "watching" in presto.ctl("logs", "--env", presto.name, "operator").out
    done = presto.ctl("logs", "--env", presto.name, "nobody", status=1)
    assert "nobody" in done.err


def ask(port, path, **headers):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        c.request("GET", path, headers=headers)
        r = c.getresponse()
        return r.status, r.read().decode(errors="replace"), r.getheader("Location", "")
    finally:
        c.close()


def test_the_web_ui_is_served_to_its_own_address_only(presto):
    running = presto.start("ui", "--env", presto.name)
    until(lambda: running.out, 30, "the address of the web UI")
    port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/ui/\n", running.out[0]).group(1))
    status, text, _ = ask(port, "/ui/")
    assert status == 200 and "<html" in text.lower() and "/api/v1/namespaces" not in text
    status, _, location = ask(port, "/")
    assert status in (302, 303, 307) and "/api/v1/namespaces" not in location
    assert json.loads(ask(port, "/v1/cluster")[1])["activeWorkers"] == presto.asked()
    assert ask(port, "/ui/", Host="evil.example")[0] == 403
    assert ask(port, "/v1/cluster", Origin="http://evil.example")[0] == 403
    assert ask(port, "/api/v1/secrets")[0] == 404
    assert ask(port, "/ui/../api/v1/secrets")[0] == 404
    running.interrupt()
    assert running.wait(10).status == 0
