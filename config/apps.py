from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class BatchwiseConfig(AppConfig):
    """What belongs to the whole project and to no room: roles, users, commands such as `demo`."""

    name = "config"
    verbose_name = "Batchwise"

    def ready(self) -> None:
        from config import roles

        # Told once a migration, by the room that comes last: config has no models, so none of its own.
        post_migrate.connect(roles.create_roles, sender=apps.get_app_config("sending"))
