"""Tokens: OAuth (JWT bearer, refresh), STS, IAM credentials, introspection, and the webhook of API servers."""

import secrets
import time

from . import iam
from .core import OAuthProblem, Problem, Reply, Routes, error_info, stamp
from .rsa import Key, jwt_parts

route = Routes()

SCOPE = "https://www.googleapis.com/auth/"
AUDIENCES = {"https://oauth2.googleapis.com/token", "https://www.googleapis.com/oauth2/v4/token",
             "https://accounts.google.com/o/oauth2/token"}
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
SUBJECT_TYPES = {"urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token",
                 "urn:ietf:params:oauth:token-type:saml2", ACCESS_TOKEN}


class Token:
    def __init__(self, value, kind, principal, scopes, expires):
        self.value, self.kind, self.principal, self.scopes = value, kind, principal, set(scopes)
        self.expires, self.revoked = expires, False

    def alive(self):
        return not self.revoked and time.time() < self.expires

    def can(self, *names):
        return any(n in self.scopes or SCOPE + n in self.scopes for n in names)


class Auth:
    """Every token that was handed out, the accounts with their keys, the users with their refresh tokens."""

    def __init__(self, world):
        self.world = world
        world.auth = self
        self.tokens = {}
        self.keys = {}          # key id: (e-mail, PublicKey)
        self.users = {}         # refresh token: {email, client_id, client_secret, revoked, rapt}
        self.numbers = {}       # principal: its numeric id
        self.secret = set()     # whatever must never be seen in a log or an output
        self.signer = None      # signs id tokens

    def give(self, kind, principal, scopes, lifetime=None, value=None):
        limit = float(self.world.config["tokenLifetime"])
        lifetime = limit if lifetime is None else min(float(lifetime), limit + 1)
        value = value or f"ya29.{kind}-{secrets.token_urlsafe(48)}"
        token = Token(value, kind, principal, scopes, time.time() + lifetime)
        self.tokens[value] = token
        self.secret.add(value)
        return token

    def account(self, email, key):
        self.keys[key.id] = (email, key.public)
        self.secret.update(line for line in key.pem.splitlines()[1:-1])

    def user(self, email, client_id, client_secret, refresh_token):
        self.users[refresh_token] = {"email": email, "client_id": client_id, "client_secret": client_secret}
        self.secret.update((client_secret, refresh_token))

    def number(self, principal):
        return self.numbers.setdefault(principal, str(10 ** 20 + secrets.randbelow(10 ** 20)))

    def id_token(self, principal, audience):
        if self.signer is None:
            self.signer = Key(self.world.state / "id-token.pem")
        now = int(time.time())
        text = self.signer.jwt({"iss": "https://accounts.google.com", "aud": audience, "azp": audience,
                                "sub": self.number(principal), "email": principal, "email_verified": True,
                                "iat": now, "exp": now + 3600})
        self.secret.add(text)
        return text

    def check(self, request):
        """Sets request.token, or raises the 401 or 403 that the front end would answer."""
        value = request.bearer()
        if not value:
            raise Problem(401, "Request is missing required authentication credential. Expected OAuth 2 access "
                          "token, login cookie or other valid authentication credential. See "
                          "https://developers.google.com/identity/sign-in/web/devconsole-project.",
                          headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/"'},
                          details=[error_info("CREDENTIALS_MISSING", service=f"{request.service}.googleapis.com")])
        token = self.tokens.get(value)
        if token is None or not token.alive():
            raise Problem(401, "Request had invalid authentication credentials. Expected OAuth 2 access token, "
                          "login cookie or other valid authentication credential. See "
                          "https://developers.google.com/identity/sign-in/web/devconsole-project.",
                          headers={"WWW-Authenticate":
                                   'Bearer realm="https://accounts.google.com/", error="invalid_token"'},
                          details=[error_info("ACCESS_TOKEN_TYPE_UNSUPPORTED" if token is None
                                              else "ACCESS_TOKEN_EXPIRED")])
        request.token = token
        wanted = ["cloud-platform"] + {"iamcredentials": ["iam"], "compute": ["compute"]}.get(request.service, [])
        if not token.can(*wanted):
            raise Problem(403, "Request had insufficient authentication scopes.", details=[
                error_info("ACCESS_TOKEN_SCOPE_INSUFFICIENT", service=f"{request.service}.googleapis.com",
                           method=request.path)])


def token_reply(token, **more):
    return Reply(200, {"access_token": token.value, "expires_in": max(0, round(token.expires - time.time())),
                       "token_type": "Bearer", "scope": " ".join(sorted(token.scopes)), **more})


@route("POST", r"/(?:sa/|o/oauth2/|oauth2/v4/|oauth2/v3/)?token", "oauth2", auth=False)
def oauth_token(world, request):
    form = request.form
    world.auth.secret.update(form[k] for k in ("assertion", "refresh_token", "client_secret") if form.get(k))
    if form.get("grant_type") == JWT_BEARER:
        return jwt_bearer(world, request, form.get("assertion", ""))
    if form.get("grant_type") == "refresh_token":
        return refresh(world, form)
    raise OAuthProblem(400, "unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type', '')}")


def jwt_bearer(world, request, assertion):
    try:
        header, claims, signature, signed = jwt_parts(assertion)
    except ValueError as e:
        raise OAuthProblem(400, "invalid_grant", "Invalid JWT: Failed to parse.") from e
    email, key = world.auth.keys.get(header.get("kid"), (None, None))
    if header.get("alg") != "RS256" or not email or claims.get("iss") != email:
        known = any(email == claims.get("iss") for email, _ in world.auth.keys.values())
        raise OAuthProblem(400, "invalid_grant", "Invalid JWT Signature." if known else
                           "Invalid grant: account not found")
    if not key.verify(signature, signed):
        raise OAuthProblem(400, "invalid_grant", "Invalid JWT Signature.")
    now, tolerance = time.time() + world.clock.skew, float(world.config["clockTolerance"])
    issued, expires = claims.get("iat", 0), claims.get("exp", 0)
    if not all(isinstance(v, (int, float)) for v in (issued, expires)) or expires <= now - 10 or \
            issued > now + tolerance or expires - issued > 3600 or issued < now - 3600 - tolerance:
        raise OAuthProblem(400, "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and "
                           "in a reasonable timeframe. Check your iat and exp values in the JWT claim.")
    here = {f"{request.base}{request.path}", f"{world.base}{request.path}"}
    if claims.get("aud") not in AUDIENCES | here:
        raise OAuthProblem(400, "invalid_grant", "Invalid JWT: Failed audience check.")
    if claims.get("target_audience"):
        return Reply(200, {"id_token": world.auth.id_token(email, claims["target_audience"])})
    if not str(claims.get("scope", "")).strip():
        raise OAuthProblem(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")
    token = world.auth.give("sa", email, claims["scope"].split(), expires - issued)
    reply = token_reply(token)
    return reply


def refresh(world, form):
    user = world.auth.users.get(form.get("refresh_token"))
    if user and (form.get("client_id"), form.get("client_secret")) != (user["client_id"], user["client_secret"]):
        raise OAuthProblem(401, "invalid_client", "The OAuth client was not found.")
    if user is None or user.get("revoked"):
        raise OAuthProblem(400, "invalid_grant", "Token has been expired or revoked.")
    if user.get("rapt"):
        raise OAuthProblem(400, "invalid_grant", "reauth related error (invalid_rapt)",
                           error_subtype="invalid_rapt",
                           error_uri="https://support.google.com/a/answer/9368756")
    scopes = form.get("scope", "").split() or ["openid", SCOPE + "userinfo.email", SCOPE + "cloud-platform"]
    token = world.auth.give("user", user["email"], scopes)
    return token_reply(token, id_token=world.auth.id_token(user["email"], user["client_id"]))


@route("POST", r"/v1/token", "sts", auth=False)
def exchange(world, request):
    form, auth = request.form, world.auth
    subject_token = form.get("subject_token", "")
    if subject_token:
        auth.secret.add(subject_token)
    if form.get("grant_type") != EXCHANGE:
        raise OAuthProblem(400, "unsupported_grant_type", "grant_type must be token-exchange")
    audience = form.get("audience", "")
    if not audience.startswith("//iam.googleapis.com/") or \
            not any(iam.fnmatch.fnmatchcase(audience, p) for p in world.config["pools"]):
        raise OAuthProblem(400, "invalid_target", "The target service indicated by the \"audience\" parameters is "
                           "invalid. This might either be because the pool or provider is disabled or deleted or "
                           "because it doesn't exist.")
    if form.get("subject_token_type") not in SUBJECT_TYPES or not form.get("scope") or \
            form.get("requested_token_type") != ACCESS_TOKEN:
        raise OAuthProblem(400, "invalid_request", "Invalid value for \"subject_token_type\", \"scope\" or "
                           "\"requested_token_type\".")
    subject, expires = subject_of(world, subject_token)
    pool = audience.removeprefix("//iam.googleapis.com/").split("/providers/")[0]
    left = None if expires is None else expires - time.time()
    token = auth.give("fed", f"principal://iam.googleapis.com/{pool}/subject/{subject}", form["scope"].split(), left)
    return Reply(200, {"access_token": token.value, "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer",
                       "expires_in": round(token.expires - time.time())})


def subject_of(world, text):
    """(subject, when it expires or None). What is exchanged directly lives no longer than its subject token."""
    try:
        claims = jwt_parts(text)[1]
    except ValueError as e:
        if text in world.config["subjects"]:
            return world.config["subjects"][text], None
        raise OAuthProblem(400, "invalid_grant", "Unable to parse the ID Token.") from e
    if "sub" not in claims:
        raise OAuthProblem(400, "invalid_request", "Could not obtain a value for google.subject from the given "
                           "credential.")
    if claims.get("exp") is not None and claims["exp"] <= time.time():
        raise OAuthProblem(400, "invalid_grant", "ID Token issued at {} is stale to sign-in.".format(
            claims.get("iat", 0)))
    return claims["sub"], claims.get("exp")


@route("POST", r"/(?:v1/)?introspect", "sts", auth=False)
def introspect(world, request):
    token = world.auth.tokens.get(request.form.get("token"))
    if token is None or not token.alive():
        return Reply(200, {"active": False})
    return Reply(200, {"active": True, "username": token.principal, "client_id": "stand-in",
                       "scope": " ".join(sorted(token.scopes)), "exp": int(token.expires), "iss": world.base})


@route("POST", r"/v1/projects/-/serviceAccounts/(?P<email>[^/:]+):generateAccessToken", "iamcredentials", write=False)
def generate(world, request):
    body, email, auth = request.json, request.groups["email"], world.auth
    chain = [str(d).rsplit("/", 1)[-1] for d in body.get("delegates") or []] + [email]
    caller = request.token.principal
    for target in chain:
        allowed = world.config["impersonation"].get(target, ["*"])
        if not any(iam.fnmatch.fnmatchcase(caller, pattern) for pattern in allowed):
            raise Problem(403, "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not "
                          "exist).", details=[error_info(
                              "IAM_PERMISSION_DENIED", domain="iam.googleapis.com",
                              permission="iam.serviceAccounts.getAccessToken")])
        caller = target
    if "@" not in email:
        raise Problem(404, f"Not found; Gaia id not found for email {email}")
    scopes = body.get("scope") or []
    if not scopes:
        raise Problem(400, "Request contains an invalid argument.", details=[])
    text = str(body.get("lifetime") or "3600s")
    seconds = float(text[:-1]) if text.endswith("s") and text[:-1].replace(".", "", 1).isdigit() else -1
    if not 0 < seconds <= 3600:
        raise Problem(400, "The access token lifetime cannot exceed 3600s unless the organization policy "
                      "constraint allows it.")
    token = auth.give("imp", email, scopes, seconds)
    return Reply(200, {"accessToken": token.value, "expireTime": stamp(token.expires, 0)})


@route("GET POST", r"/(?:oauth2/v[123]/)?tokeninfo", "oauth2", auth=False)
def token_info(world, request):
    value = request.query.get("access_token") or request.form.get("access_token") or request.bearer()
    token = world.auth.tokens.get(value)
    if token is None or not token.alive():
        raise OAuthProblem(400, "invalid_token", "Invalid Value")
    body = {"azp": world.auth.number(token.principal), "aud": world.auth.number(token.principal),
            "scope": " ".join(sorted(token.scopes)), "exp": str(int(token.expires)),
            "expires_in": str(int(token.expires - time.time())), "access_type": "online"}
    if token.can("userinfo.email", "email"):
        body |= {"email": token.principal, "email_verified": "true"}
    return Reply(200, body)


@route("GET", r"/(?:oauth2/v[123]/|v1/)?userinfo", "oauth2", auth=False)
def user_info(world, request):
    token = world.auth.tokens.get(request.bearer() or request.query.get("access_token"))
    if token is None or not token.alive() or not token.can("userinfo.email", "email", "openid"):
        raise Problem(401, "Request is missing required authentication credential.")
    number = world.auth.number(token.principal)
    return Reply(200, {"sub": number, "id": number, "email": token.principal, "email_verified": True})


@route("POST", r"/(?:o/oauth2/)?revoke", "oauth2", auth=False)
def revoke(world, request):
    value = request.form.get("token") or request.query.get("token")
    for token in [world.auth.tokens.get(value)]:
        if token is None:
            raise OAuthProblem(400, "invalid_token", "Token expired or revoked")
        token.revoked = True
    return Reply(200, {})


@route("POST", r"/k8s/tokenreview(?:/(?P<project>[^/]+)/(?P<location>[^/]+)/(?P<cluster>[^/]+))?", "webhook", auth=False)
def token_review(world, request):
    """authentication.k8s.io/v1 TokenReview: whoever has a living token of ours is let in.

    With a cluster in the path, only while that cluster exists: a deleted one's API server knows nobody.
    """
    body = request.json
    token = world.auth.tokens.get(body.get("spec", {}).get("token"))
    status = {"authenticated": False}
    project, cluster = world.projects.get(request.project), None
    if project:
        cluster = project.clusters.get((request.groups["location"], request.groups["cluster"]))
    if token is not None and token.alive() and token.can("cloud-platform") and (cluster or not request.project):
        # Without the e-mail scope an account is known by its number only, and no binding matches.
        named = token.can("userinfo.email") or "@" not in token.principal
        groups = ["system:authenticated"]
        projects = [project] if project else world.projects.values()
        if any(iam.may(p, token.principal, iam.CLUSTER_ADMIN) for p in projects):
            groups.append("system:masters")
        number = world.auth.number(token.principal)
        status = {"authenticated": True, "user": {
            "username": token.principal if named else number, "uid": number, "groups": groups}}
    return Reply(200, {"apiVersion": body.get("apiVersion", "authentication.k8s.io/v1"), "kind": "TokenReview",
                       "metadata": {"creationTimestamp": None}, "status": status})
