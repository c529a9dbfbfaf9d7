"""django-oauth-toolkit as a peer of the tests: Django in one file, from Debian's
packages. PORT says where it listens, PEER_DIR where it may write, TTL how many
seconds access tokens live. It prints "ready" when it is."""
import os, sys, threading
from pathlib import Path

import django
from django.conf import settings

port, directory, ttl = os.environ["PORT"], Path(os.environ["PEER_DIR"]), int(os.environ["TTL"])

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()

login = """<form method="post">{% csrf_token %}<input name="username"><input type="password" name="password">
<input type="hidden" name="next" value="{{ next }}"><button>Log in</button></form>"""
(directory / "templates" / "registration").mkdir(parents=True)
(directory / "templates" / "registration" / "login.html").write_text(login)

settings.configure(
    DEBUG=False, SECRET_KEY="for tests only", ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__, USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(directory / "peer.sqlite3")}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [str(directory / "templates")], "APP_DIRS": True,
                "OPTIONS": {"context_processors": ["django.template.context_processors.request", "django.contrib.auth.context_processors.auth"]}}],
    LOGIN_URL="/login/", DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True, "OIDC_RSA_PRIVATE_KEY": pem, "PKCE_REQUIRED": True, "ROTATE_REFRESH_TOKEN": True,
        "ACCESS_TOKEN_EXPIRE_SECONDS": ttl, "ALLOWED_REDIRECT_URI_SCHEMES": ["http"], "OAUTH2_VALIDATOR_CLASS": __name__ + ".Validator",
        "SCOPES": {"openid": "who you are", "email": "your address", "offline_access": "while you are away"},
    },
)
django.setup()

from django.contrib.auth.views import LoginView
from django.urls import include, path
from oauth2_provider.oauth2_validators import OAuth2Validator


class Validator(OAuth2Validator):
    def get_additional_claims(self, request):
        return {"sub": request.user.username, "email": request.user.email}


urlpatterns = [path("login/", LoginView.as_view()), path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]
sys.modules["peer"] = sys.modules[__name__]

from django.core.management import call_command
from django.contrib.auth.models import User

call_command("migrate", verbosity=0)
User.objects.create_user("alice", "alice@example.test", "alice-pw")
from oauth2_provider.models import Application

Application.objects.create(name="Curfew", client_id="curfew", client_type="public", authorization_grant_type="authorization-code",
                           redirect_uris="http://127.0.0.1/callback", algorithm="RS256")

from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from django.core.wsgi import get_wsgi_application


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


server = make_server("127.0.0.1", int(port), get_wsgi_application(), Server, Quiet)
print("ready", flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()  # goes with the test that started it
server.serve_forever()
