"""
The blog's settings. What differs between computers comes from the environment:

BLOG_DATA           folder of the database, the uploads and the collected static files (.data)
BLOG_SECRET_KEY     Django's secret; without it one is made and kept in BLOG_DATA
BLOG_HOSTS          host names, with commas (localhost, 127.0.0.1)
BLOG_DEBUG          1: Django's error pages, and no need to collect static files
BLOG_REQUEST_LOG    file to which each request's status and number of database queries are written
BLOG_COUNT_QUERIES  1: that number also stands in the response field X-DB-Queries
EDGEKEEP_SITE       the address of the blog as readers know it; purges go there
EDGEKEEP_SECRET     signs them: one of the worker's PURGE_SECRETS
"""

import os
import secrets
from pathlib import Path

BASE = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("BLOG_DATA") or BASE / ".data")
DATA.mkdir(parents=True, exist_ok=True)


def secret_key() -> str:
    """The secret from the environment, or one of this computer's own."""
    given = os.environ.get("BLOG_SECRET_KEY")
    if given:
        return given
    file = DATA / "secret_key"
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(secrets.token_urlsafe(50))
    except FileExistsError:
        pass
    return file.read_text()


SECRET_KEY = secret_key()
DEBUG = os.environ.get("BLOG_DEBUG") == "1"
ALLOWED_HOSTS = os.environ.get("BLOG_HOSTS", "localhost,127.0.0.1").split(",")

# Edgekeep asks us under a name of our own and tells the reader's in these fields, which it never takes from a reader.
# Let nobody but Edgekeep reach this server.
USE_X_FORWARDED_HOST = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.sitemaps",
    "django.contrib.staticfiles",
    "edgekeep",
    "blog",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "blog.middleware.count_queries",
    "blog.middleware.after_writes",
    "edgekeep.middleware.cache_tags",
    "blog.middleware.cache_policy",  # outside of all that sets cookies or Vary
    "blog.fragments.mark_fragments",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

EDGEKEEP = {
    "ENABLED": bool(os.environ.get("EDGEKEEP_SECRET")),
    "SITE": os.environ.get("EDGEKEEP_SITE", "http://127.0.0.1:8787"),
    "SECRET": os.environ.get("EDGEKEEP_SECRET", ""),
}

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",  # lazy: a page that asks nothing stays the same for all
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA / "blog.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 10,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The application tier. Each process may have its own: the keys carry a version that lies in the database, see
# blog/memory.py.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "TIMEOUT": 3600,
        "OPTIONS": {"MAX_ENTRIES": 2000},
    }
}

STATIC_URL = "/static/"
STATIC_ROOT = DATA / "static"
STATICFILES_DIRS = [BASE / "static"]
MEDIA_URL = "/media/"
MEDIA_ROOT = DATA / "media"
STORAGES = {
    # Uploads are named by their bytes: the same name is the same file.
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"allow_overwrite": True}},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    },
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_REDIRECT_URL = "profile"
LOGOUT_REDIRECT_URL = "front"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = EDGEKEEP["SITE"].startswith("https:")

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

REQUEST_LOG = os.environ.get("BLOG_REQUEST_LOG")
COUNT_QUERIES = os.environ.get("BLOG_COUNT_QUERIES") == "1"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {name: {"handlers": ["console"], "level": "WARNING"} for name in ("blog", "edgekeep")},
}
