from typing import Any

from django.core.management.base import BaseCommand

from config import roles


class Command(BaseCommand):
    help = (
        "Gives the roles (groups) the permissions that they came with, also where somebody changed them "
        "or an upgrade brought new ones. Users stay in their roles; other groups stay as they are."
    )

    def handle(self, *args: Any, **options: Any) -> str:
        roles.reset_roles()
        return f"Reset: {', '.join(roles.ROLES)}"
