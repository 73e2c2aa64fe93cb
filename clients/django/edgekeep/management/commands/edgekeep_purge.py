"""``manage.py edgekeep_purge``: an order by hand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...transactions import selectors_of
from ..sending import send_all


class Command(BaseCommand):
    help = "Purges pages from the edge, and prints the receipts. Ends with an error if an order was not accepted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tag", action="append", default=[], metavar="TAG", help="pages with this tag")
        parser.add_argument("--url", action="append", default=[], metavar="URL", help="a URL, or a path of all BASES")
        parser.add_argument("--prefix", action="append", default=[], metavar="HOST/PATH", help="a path and all below")
        parser.add_argument("--host", action="append", default=[], metavar="HOST", help="all pages of a host")
        parser.add_argument("--everything", action="store_true", help="all pages of all hosts")
        parser.add_argument("--soft", action="store_true", help="make them stale rather than gone")
        parser.add_argument("--dry-run", action="store_true", help="print the orders, and send nothing")

    def handle(self, **options: Any) -> None:
        try:
            selectors = selectors_of(
                tags=options["tag"],
                urls=options["url"],
                prefixes=options["prefix"],
                hosts=options["host"],
                everything=options["everything"],
                soft=options["soft"],
                refresh=False,
            )
        except ValueError as error:
            raise CommandError(str(error)) from None
        if not selectors:
            raise CommandError("Say what to purge: --tag, --url, --prefix, --host or --everything.")
        send_all(self, list(selectors.orders()), dry_run=options["dry_run"])
