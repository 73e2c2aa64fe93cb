"""What the commands share."""

from __future__ import annotations

import json

from django.core.management.base import BaseCommand, CommandError

from ..conf import config
from ..orders import Order
from ..sending import PurgeError, send


def send_all(command: BaseCommand, orders: list[Order], *, dry_run: bool) -> None:
    """Sends orders one after the other, or prints them. CommandError at the first that is not accepted."""
    settings = config()
    if dry_run:
        for order in orders:
            command.stdout.write(order.body().decode())
        return
    if not settings.enabled:
        raise CommandError("Purging is not enabled: EDGEKEEP is not set, or says ENABLED: False.")
    for order in orders:
        try:
            receipt = send(order)
        except PurgeError as error:
            raise CommandError(f"{settings.site} did not accept the purge {order}: {error}") from None
        command.stdout.write(json.dumps(receipt, sort_keys=True))
