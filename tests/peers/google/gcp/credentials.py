"""One credential file of each kind that clients know, ready to be named by GOOGLE_APPLICATION_CREDENTIALS."""

import json
import secrets
import time

from .metadata import unsigned
from .rsa import Key

ACCOUNT = "ci@demo-proj.iam.gserviceaccount.com"
TARGET = "deploy@demo-proj.iam.gserviceaccount.com"
USER = "dev@example.com"
POOL = "//iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/pool/providers/ci"


def write(folder, name, value):
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(value if isinstance(value, str) else json.dumps(value, indent=2) + "\n")
    return path


def account_key(world, email, project, name):
    """A service-account key file like the console's, with the token address of this server."""
    key = Key(world.state / f"{name}.pem")
    world.auth.account(email, key)
    return {"type": "service_account", "project_id": project, "private_key_id": key.id, "private_key": key.pem,
            "client_email": email, "client_id": world.auth.number(email), "token_uri": f"{world.base}/token",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth", "universe_domain": "googleapis.com"}


def make(world):
    """{name: path} of everything written; `token` holds a bare access token."""
    folder, base, auth = world.state, world.base, world.auth
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = account_key(world, ACCOUNT, "demo-proj", "sa")
    user = {"type": "authorized_user", "client_id": "764086051850.apps.googleusercontent.com",
            "client_secret": f"d-{secrets.token_hex(12)}", "refresh_token": f"1//0{secrets.token_urlsafe(40)}",
            "quota_project_id": "demo-proj", "universe_domain": "googleapis.com", "token_uri": f"{base}/token"}
    auth.user(USER, user["client_id"], user["client_secret"], user["refresh_token"])
    now = int(time.time())
    subject = unsigned({"iss": "https://ci.example", "sub": "repo:o/r:ref:refs/heads/main", "iat": now, "exp": now + 86400})
    auth.secret.add(subject)
    text = write(folder, "subject.txt", subject)
    document = write(folder, "subject.json", {"value": subject})
    script = write(folder, "subject.sh", "#!/bin/sh\n# What an executable source prints: a subject token and until when.\n"
                   f"printf '{{\"version\":1,\"success\":true,\"token_type\":\"urn:ietf:params:oauth:token-type:jwt\","
                   f"\"expiration_time\":%s,\"id_token\":\"%s\"}}\\n' \"$(($(date +%s) + 3600))\" \"$(cat '{text}')\"\n")
    script.chmod(0o700)

    def wif(source, **more):
        return {"type": "external_account", "audience": POOL, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "token_url": f"{base}/v1/token", "token_info_url": f"{base}/v1/introspect",
                "universe_domain": "googleapis.com", "credential_source": source, **more}

    impersonate = f"{base}/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken"
    token = auth.give("raw", USER, ["https://www.googleapis.com/auth/cloud-platform",
                                    "https://www.googleapis.com/auth/userinfo.email"])
    as_json = {"type": "json", "subject_token_field_name": "value"}
    job = {"Authorization": "bearer job-token"}
    files = {
        "sa": write(folder, "sa.json", key),
        "user": write(folder, "user.json", user),
        "wif-file": write(folder, "wif-file.json", wif({"file": str(text)})),
        "wif-file-json": write(folder, "wif-file-json.json", wif({"file": str(document), "format": as_json})),
        "wif-url": write(folder, "wif-url.json", wif({"url": f"{base}/subject-token.json", "headers": job,
                                                     "format": as_json})),
        "wif-url-text": write(folder, "wif-url-text.json", wif({"url": f"{base}/subject-token.txt", "headers": job})),
        "wif-executable": write(folder, "wif-executable.json", wif({"executable": {
            "command": str(script), "timeout_millis": 5000}})),
        "wif-impersonated": write(folder, "wif-impersonated.json", wif(
            {"file": str(text)}, service_account_impersonation_url=impersonate,
            service_account_impersonation={"token_lifetime_seconds": 1800})),
        "impersonated": write(folder, "impersonated.json", {
            "type": "impersonated_service_account", "service_account_impersonation_url": impersonate, "delegates": [],
            "source_credentials": user}),
        "impersonated-sa": write(folder, "impersonated-sa.json", {
            "type": "impersonated_service_account", "service_account_impersonation_url": impersonate, "delegates": [],
            "source_credentials": key}),
        "token": write(folder, "token.txt", token.value),
    }
    return {name: str(path) for name, path in files.items()}
