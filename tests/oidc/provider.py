"""An OpenID Connect provider for tests: `oidc-provider-mock`, which remembers who signed in with a browser, and
verifies proof keys (RFC 7636), which it does not by itself.

provider.py PORT USERS-AS-JSON

Prints a line for each time that somebody is asked who they are (`form`) or known already (`silent`).
"""

import base64
import hashlib
import io
import json
import os
import sys
import urllib.parse
import warnings
from http.cookies import SimpleCookie

warnings.simplefilter("ignore")
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import oidc_provider_mock  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

COOKIE = "idp"


class Provider:
    """What stands before the package's own application."""

    def __init__(self, app):
        self.app = app
        self.challenges = {}

    def __call__(self, environ, start_response):
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path == "/oauth2/authorize":
            return self.authorize(environ, start_response, method)
        if path == "/oauth2/token" and not self.is_proven(environ):
            start_response("400 Bad Request", [("content-type", "application/json")])
            return [b'{"error": "invalid_grant"}']
        return self.app(environ, start_response)

    def authorize(self, environ, start_response, method):
        query = dict(urllib.parse.parse_qsl(environ["QUERY_STRING"]))
        known = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(COOKIE)
        if method == "GET" and known and "prompt" not in query:
            print("silent", flush=True)
            body = urllib.parse.urlencode({"sub": known.value}).encode()
            environ["REQUEST_METHOD"] = "POST"
            environ["CONTENT_TYPE"] = "application/x-www-form-urlencoded"
        elif method == "GET":
            print("form", flush=True)
            return self.app(environ, start_response)
        else:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
        sub = dict(urllib.parse.parse_qsl(body.decode())).get("sub")

        def answer(status, headers, info=None):
            for name, value in headers:
                if name.lower() == "location":
                    back = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(value).query))
                    if "code" in back:
                        assert query.get("code_challenge_method") == "S256", "no proof key"
                        self.challenges[back["code"]] = query["code_challenge"]
            if sub:
                headers = [*headers, ("set-cookie", f"{COOKIE}={sub}; Path=/; HttpOnly; SameSite=Lax")]
            return start_response(status, headers, info)

        return self.app(environ, answer)

    def is_proven(self, environ):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        form = dict(urllib.parse.parse_qsl(body.decode()))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return self.challenges.pop(form.get("code"), None) == proof


port, users = int(sys.argv[1]), json.loads(sys.argv[2])
users = [oidc_provider_mock.User(sub=user.pop("sub"), claims=user) for user in users]
app = oidc_provider_mock.app(require_nonce=True, user_claims=users)
make_server("127.0.0.1", port, Provider(app), threaded=True).serve_forever()
