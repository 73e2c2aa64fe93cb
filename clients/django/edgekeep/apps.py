"""The Django application: ``"edgekeep"`` in INSTALLED_APPS."""

from __future__ import annotations

from django.apps import AppConfig, apps


class EdgekeepConfig(AppConfig):
    """Has no models; listens to those of others."""

    name = "edgekeep"
    verbose_name = "Edgekeep"

    def ready(self) -> None:
        from . import changes, checks  # noqa: F401  (the checks register themselves)

        changes.connect_all()
        if apps.is_installed("wagtail.contrib.frontend_cache"):
            from . import wagtail

            wagtail.connect()
