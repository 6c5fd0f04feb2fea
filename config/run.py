"""`make run`: migrates, sees to a first superuser, then runs web and worker until Ctrl-C."""

import os
import subprocess
import sys
from pathlib import Path

import honcho.manager
from honcho.environ import parse_procfile
from honcho.printer import Printer

BASE_DIR = Path(__file__).resolve().parent.parent
# Seconds for a worker to finish the mail in its hand before it is killed.
PATIENCE = 60


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import call_command

    try:
        django.setup()
    except ImproperlyConfigured as error:
        print(error, file=sys.stderr)
        return 1
    from django.conf import settings

    call_command("migrate", interactive=False, verbosity=0)
    if settings.PRODUCTION:
        call_command("collectstatic", interactive=False, verbosity=0)
    ensure_superuser()
    code = supervise()
    if settings.EMBEDDED_POSTGRES:
        subprocess.run([sys.executable, "-m", "config.embedded_postgres", "stop"], cwd=BASE_DIR, check=False)
    return code


def ensure_superuser() -> None:
    """Makes the first superuser from DJANGO_SUPERUSER_USERNAME, _PASSWORD and _EMAIL, or asks."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.db import connections

    if not get_user_model().objects.filter(is_superuser=True).exists():
        if os.environ.get("DJANGO_SUPERUSER_PASSWORD"):
            os.environ.setdefault("DJANGO_SUPERUSER_USERNAME", "admin")
            os.environ.setdefault("DJANGO_SUPERUSER_EMAIL", "")
            call_command("createsuperuser", interactive=False)
        elif sys.stdin.isatty():
            print("The first user of the admin:")
            call_command("createsuperuser")
        else:
            print("Nobody can log in yet: run `.venv/bin/python manage.py createsuperuser`, or set")
            print("DJANGO_SUPERUSER_USERNAME and DJANGO_SUPERUSER_PASSWORD.")
    connections.close_all()


def supervise() -> int:
    """Runs the Procfile's processes until one ends or Ctrl-C; returns the exit code."""
    honcho.manager.KILL_WAIT = PATIENCE
    manager = honcho.manager.Manager(Printer(sys.stdout))
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    for name, command in parse_procfile((BASE_DIR / "Procfile").read_text()).processes.items():
        manager.add_process(name, f"exec {command}", env=environment, cwd=str(BASE_DIR))
    manager.loop()
    return manager.returncode or 0


if __name__ == "__main__":
    raise SystemExit(main())
