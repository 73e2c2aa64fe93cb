"""What orders say, how they are split, and that they are signed by the standard."""

from __future__ import annotations

import json

import pytest

from edgekeep.orders import EVERYTHING, ORDER_BYTES_MAX, Mode, Order, Selectors, absolute_urls, clean_host, clean_prefix
from edgekeep.webhook import key_of, signed

BASES = ["https://www.example.com", "https://m.example.com"]


def bodies(*named: tuple[str, str, Mode]) -> list[dict[str, object]]:
    selectors = Selectors()
    for name, text, mode in named:
        selectors.add((name, text), mode)  # type: ignore[arg-type]
    return [json.loads(order.body()) for order in selectors.orders()]


HARD, SOFT, REFRESH = Mode.HARD, Mode.SOFT, Mode.REFRESH
ALL = ("purge_everything", "")


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ([], []),
        ([("tags", "a", HARD)], [{"tags": ["a"]}]),
        ([("tags", "a", HARD), ("files", "u", HARD), ("tags", "a", HARD)], [{"tags": ["a"], "files": ["u"]}]),
        ([("prefixes", "h/p", SOFT), ("hosts", "h", SOFT)], [{"prefixes": ["h/p"], "hosts": ["h"], "soft": True}]),
        # Hard holds over soft, whichever came first.
        ([("tags", "a", HARD), ("tags", "a", SOFT)], [{"tags": ["a"]}]),
        ([("tags", "a", SOFT), ("tags", "a", HARD)], [{"tags": ["a"]}]),
        ([("tags", "a", SOFT), ("tags", "b", HARD)], [{"tags": ["b"]}, {"tags": ["a"], "soft": True}]),
        # Only URLs can be fetched again.
        (
            [("files", "u", REFRESH), ("tags", "a", REFRESH)],
            [{"tags": ["a"], "soft": True}, {"files": ["u"], "soft": True, "refresh": True}],
        ),
        ([("files", "u", REFRESH), ("files", "u", SOFT)], [{"files": ["u"], "soft": True, "refresh": True}]),
        # What everything covers need not be said.
        ([("tags", "a", HARD), (*ALL, HARD), ("tags", "b", SOFT)], [{"purge_everything": True}]),
        (
            [("tags", "a", HARD), (*ALL, SOFT), ("tags", "b", SOFT), ("files", "u", REFRESH)],
            [
                {"tags": ["a"]},
                {"purge_everything": True, "soft": True},
                {"files": ["u"], "soft": True, "refresh": True},
            ],
        ),
    ],
)
def test_selectors_become_orders(named: list[tuple[str, str, Mode]], expected: list[dict[str, object]]) -> None:
    assert bodies(*named) == expected


@pytest.mark.parametrize(
    ("count", "length", "parts"),
    [(1000, 5, [1000]), (1001, 5, [1000, 1]), (2500, 5, [1000, 1000, 500]), (200, 1024, [63, 63, 63, 11])],
)
def test_orders_are_split_at_the_limits(count: int, length: int, parts: list[int]) -> None:
    selectors = Selectors()
    texts = [f"{number:x>{length}}" for number in range(count)]
    for text in texts:
        selectors.add(("tags", text), HARD)
    orders = list(selectors.orders())
    assert [len(order.selectors) for order in orders] == parts
    assert all(len(order.body()) <= ORDER_BYTES_MAX for order in orders)
    assert [text for order in orders for _, text in order.selectors] == texts, "none is lost, none is twice"
    assert len({order.id for order in orders}) == len(orders)


def test_the_longest_urls_fit_an_order() -> None:
    url = absolute_urls("/" + "x" * 8000, BASES)[0]
    orders = bodies(*[("files", f"{url}{number:03}", HARD) for number in range(20)])
    assert [len(order["files"]) for order in orders] == [8, 8, 4]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/a/?b=1#c", ["https://www.example.com/a/?b=1", "https://m.example.com/a/?b=1"]),
        ("/straße/", ["https://www.example.com/stra%C3%9Fe/", "https://m.example.com/stra%C3%9Fe/"]),
        ("http://other.example/x", ["http://other.example/x"]),
        ("https://other.example", ["https://other.example"]),
    ],
)
def test_paths_are_of_every_base(given: str, expected: list[str]) -> None:
    assert absolute_urls(given, BASES) == expected


@pytest.mark.parametrize("text", ["", "a", "//other.example/a", "ftp://a/", "https://", "mailto:a@b", "/" + "x" * 8192])
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        absolute_urls(text, BASES)


@pytest.mark.parametrize("text", ["", "a/b", "a b", "https://a", "ä.example"])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no host name"):
        clean_host(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a.example/b", "a.example/b"), ("https://a.example/ü", "https://a.example/%C3%BC"), ("a.example", "a.example")],
)
def test_prefixes(text: str, expected: str) -> None:
    assert clean_prefix(text) == expected


@pytest.mark.parametrize("text", ["", "/a", "a/b?c", "a/b#c", "https:///x"])
def test_what_is_no_prefix_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no (prefix|host)"):
        clean_prefix(text)


def test_an_order_says_in_logs_what_it_names_but_not_at_length() -> None:
    order = Order(tuple(("tags", f"t{number}") for number in range(7)), SOFT, "msg_1")
    assert str(order) == "msg_1 (soft: t0, t1, t2, t3, t4 and 2 more)"
    assert str(Order((EVERYTHING,), HARD, "msg_2")) == "msg_2 (hard: everything)"


def test_the_signature_is_that_of_the_specification() -> None:
    fields = signed(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert fields == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_***", f"whsec_{'YWFh' * 22}"]
)
def test_a_bad_secret_is_refused_and_not_told(secret: str) -> None:
    with pytest.raises(ValueError, match="it must be whsec_") as caught:
        key_of(secret)
    assert len(secret) < 10 or secret not in str(caught.value)
