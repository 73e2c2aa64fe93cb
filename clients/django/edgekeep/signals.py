"""Django signals about orders, for monitoring or a queue of your own. With BACKGROUND they come in its thread."""

from __future__ import annotations

from django.dispatch import Signal

#: An order was accepted. Arguments: ``order`` (:class:`edgekeep.orders.Order`), ``receipt`` (dict as Edgekeep sent it).
purge_sent = Signal()

#: An order was given up. Arguments: ``order``, ``error`` (:class:`edgekeep.sending.PurgeError`).
purge_failed = Signal()
