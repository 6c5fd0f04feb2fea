"""gunicorn's settings: BIND (or PORT) and WEB_WORKERS, from the environment or .env."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from config.environment import bind_address, told_in_one_line, whole_number

with told_in_one_line():
    from django.conf import settings

    settings.SECRET_KEY  # noqa: B018 - reads them here, so that a wrong one is told before a worker starts
    bind = bind_address()
    workers = whole_number("WEB_WORKERS", 2)

# So a worker that streams a large export, as long as that takes, answers others meanwhile.
threads = 4
# An upload of 200 MB over a slow line, or a long export, runs in the request.
timeout = 120
# No socket in somebody's home.
control_socket_disable = True
