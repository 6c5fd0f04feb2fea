"""gunicorn's settings: BIND and WEB_WORKERS from the environment, one line when settings are wrong."""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
try:
    settings.SECRET_KEY  # noqa: B018
except ImproperlyConfigured as error:
    sys.exit(str(error))

bind = os.environ.get("BIND") or f"127.0.0.1:{os.environ.get('PORT', '8000')}"
workers = int(os.environ.get("WEB_WORKERS") or 2)
accesslog = None
# An import of 100,000 contacts runs in the request.
timeout = 120
