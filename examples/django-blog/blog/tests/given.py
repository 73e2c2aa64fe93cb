"""What the tests stand on: a small seeded blog, the same as everybody's first articles."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import call_command
from django.test import TestCase, override_settings
from edgekeep.testing import Receiver

from ..models import Article

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ARTICLES = 40
HARBOUR = "the-harbour-at-four-in-the-morning"
FLASHES = "three-flashes-then-dark"


@override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])  # hundreds of them, quickly
class BlogTest(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        call_command("seed_blog", articles=ARTICLES, stdout=io.StringIO())

    def setUp(self) -> None:
        cache.clear()

    def article(self, slug: str = HARBOUR) -> Article:
        return Article.objects.get(slug=slug)

    def sign_in(self, name: str) -> User:
        user = User.objects.get(username=name)
        self.client.force_login(user)
        return user

    @contextmanager
    def purged(self) -> Iterator[Receiver]:
        """An edge that takes the purges of what the block commits."""
        with (
            Receiver(SECRET) as edge,
            override_settings(EDGEKEEP={"SITE": edge.url, "SECRET": SECRET, "BACKGROUND": False}),
            self.captureOnCommitCallbacks(execute=True),
        ):
            yield edge
