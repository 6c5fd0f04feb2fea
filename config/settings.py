"""All settings, read from the environment (or .env). .env.example lists and explains them."""

import socket
from typing import Any

from csp.constants import NONE, SELF
from django.urls import reverse_lazy

from config import embedded_postgres, environment
from config.environment import BASE_DIR, POSTGRES_DATA, VAR_DIR, env

PRODUCTION = environment.is_production()
DEBUG = environment.yes_or_no("DEBUG", False) and not PRODUCTION

SECRET_KEY = environment.secret_key(VAR_DIR / "secret_key")
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = environment.words("CSRF_TRUSTED_ORIGINS")
CREDENTIAL_KEYS = environment.credential_keys(VAR_DIR / "credential_key")

INSTALLED_APPS = [
    "config.apps.BatchwiseConfig",
    "accounts",
    "campaigns",
    "sending",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django.forms",
    "csp",
    "django_q",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"  # so that templates/ may change a widget
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASE: dict[str, Any] = environment.external_database() or {
    "ENGINE": environment.POSTGRES_ENGINE,
    **embedded_postgres.start(POSTGRES_DATA),
}
DATABASE["ENGINE"] = "config.postgres"  # Django's, which gives a server up that became read-only
# The promises rest on this: no mail is started before the ledger row of the last one is on disk.
# A server that vanishes without a word (failover, power cut) is given up after some 10 s, not after the
# quarter of an hour that TCP takes: so long would workers and their watchdog wait for it.
GIVEN = DATABASE.get("OPTIONS", {})
DATABASE["OPTIONS"] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,  # milliseconds, as libpq wants it; the others are seconds
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    # Of the hosts in DATABASE_URL the one that is the primary, whichever that is now.
    "target_session_attrs": "read-write",
    **GIVEN,
    # A process that froze inside a transaction must not keep others from the rows that it has locked. What is
    # counted once a lock is held must be what is there then: a server whose default is REPEATABLE READ would
    # show what was there when the transaction began.
    "options": GIVEN.get("options", "")
    + " -c synchronous_commit=on -c idle_in_transaction_session_timeout=30s"
    + " -c default_transaction_isolation=read\\ committed",
}
DATABASE["CONN_MAX_AGE"] = 60
DATABASE["CONN_HEALTH_CHECKS"] = True
DATABASES = {"default": DATABASE}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = reverse_lazy("admin:login")

# The language of the site: of what workers write down, of commands, and of browsers that ask for no other.
LANGUAGE_CODE = env.str("LANGUAGE_CODE", "") or "en"
# Those that the whole program is there in; with Django's list, half of a page would be in another language.
LANGUAGES = environment.languages(BASE_DIR / "locale")
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "config.formats"
TIME_ZONE = environment.time_zone()
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
# In development they are served from where they lie.
STATIC_ROOT = VAR_DIR / "static" if PRODUCTION else None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION
# Imports and attachments are the only uploads; attachments are kept in Postgres.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
# No page needs more: scripts, styles and charts come from static files, nothing stands in the markup.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "connect-src": [SELF],
        "frame-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}
if PRODUCTION:
    SECURE_SSL_REDIRECT = environment.yes_or_no("SECURE_SSL_REDIRECT", True)
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # asked by monitoring on this host, past the proxy
    SECURE_HSTS_SECONDS = environment.whole_number("SECURE_HSTS_SECONDS", 31_536_000, least=0)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = environment.yes_or_no("SECURE_HSTS_INCLUDE_SUBDOMAINS", True)
    SECURE_HSTS_PRELOAD = environment.yes_or_no("SECURE_HSTS_PRELOAD", True)
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

# --- Sending. What staff may change stands in the Pacing row, not here. ---
# Who turns a queue row into subject, text and HTML: sending calls it by this name only.
SENDING_COMPOSER = "campaigns.composing.compose"
# Seconds for which a batch belongs to its worker since its last sign of life: more than the slowest
# mail may take (160 s), and 20 s in which the ledger may be slow.
BATCH_LEASE = environment.whole_number("BATCH_LEASE", 180)
# Seconds for a usual step of an SMTP conversation: the unit of the table in accounts/timeouts.py.
SMTP_TIMEOUT = environment.whole_number("SMTP_TIMEOUT", 20)
# A file of certificate authorities (PEM) to trust instead of the system's: for servers with their own.
SMTP_CA_FILE = env.str("SMTP_CA_FILE", "")
# Seconds after which an uncertain mail is looked for in the Sent folder. The last look decides: until then
# a worker that froze with the mail in its hand must have given it up, and the server have filed its copy.
SENT_FOLDER_LOOKS = environment.rising_numbers("SENT_FOLDER_LOOKS", [60, 300, 1800])
# The name under which this host's cluster shows that it lives; two on one host need one each.
CLUSTER = env.str("CLUSTER", "").strip() or socket.gethostname()
# Seconds without a look at the queue (there is one with each pulse) after which sending counts as dead.
SILENT_AFTER = environment.whole_number("SILENT_AFTER", 90)
# Seconds for which due mail may lie still, beyond what the pace explains.
STUCK_AFTER = environment.whole_number("STUCK_AFTER", 300)
# Seconds without a pulse after which the watchdog starts a cluster anew; four pulses fit in.
WATCHDOG_AFTER = environment.whole_number("WATCHDOG_AFTER", 60)
# Seconds between two pulses of a cluster; each looks at the queue, too.
PULSE_EVERY = min(15.0, WATCHDOG_AFTER / 4)
# Seconds after which a batch hands back what it has not started; below Q_CLUSTER's timeout.
BATCH_BUDGET = 600
# Up to so many recipients a campaign is queued, so many rows a table exported, while the person waits;
# more is a worker's.
QUEUE_AT_ONCE = environment.whole_number("QUEUE_AT_ONCE", 100_000)
EXPORT_AT_ONCE = environment.whole_number("EXPORT_AT_ONCE", 50_000)
WORKERS = environment.whole_number("WORKERS", 4)
Q_CLUSTER = {
    "name": "batchwise",
    "orm": "default",
    "broker_class": "sending.broker.PulsingBroker",
    # One does long work at a time: with two of them, one always sends.
    "workers": max(WORKERS, 2),
    "timeout": 900,
    "retry": 1200,
    "queue_limit": max(WORKERS, 2),
    "bulk": 1,
    "poll": 0.5,
    "catch_up": False,
    "ack_failures": True,
    "max_attempts": 1,
    "save_limit": 100,
    "label": "Background jobs",
    "log_level": "WARNING",
}
# django-q2 writes its status to the cache twice a second; sending's heartbeats tell more.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        name: {"level": environment.choice("LOG_LEVEL", environment.LOG_LEVELS)}
        for name in ("accounts", "campaigns", "sending", "config")
    },
}
