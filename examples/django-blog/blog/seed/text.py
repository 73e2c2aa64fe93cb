"""Sentences, paragraphs and articles, made of the words by patterns."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from .words import PLACES, READERS, SUBJECTS, Subject

#: The newest article is of this day, whenever the blog is seeded: the same seed is the same blog.
NEWEST = datetime(2026, 10, 30, 7, 30, tzinfo=timezone.utc)

TITLES = [
    "{Doing}, slowly",
    "What {thing} taught me",
    "In praise of {thing}",
    "Notes on {doing}",
    "{Thing}, and who looks after it",
    "A year of {doing}",
    "The case for {doing}",
    "{Doing} with my father",
    "Against {doing} in a hurry",
    "{Thing} at {place}",
    "How not to begin {doing}",
    "{Doing}: a beginner's account",
    "Three mornings with {thing}",
    "{Place}, before breakfast",
    "The quiet business of {doing}",
    "On {doing} badly",
    "{Thing} in bad weather",
    "Everything I know about {thing}",
]
SUMMARIES = [
    "I went to {place} for {thing} and came back with {other}.",
    "{Doing} is mostly waiting. This is about the rest of it.",
    "An afternoon at {place}, some good advice about {doing}, and why I did not take it.",
    "It began with {thing}. It did not end there.",
    "{fact} The rest is practice.",
    "Why anyone would spend a winter {doing}, and what there is to show for it.",
    "What they know at {place} about {thing}, and would rather not have written down.",
    "A short defence of {doing}, by somebody who used to laugh at it.",
]
OPENINGS = [
    "The first time I tried {doing} I was at {place}, it was raining, and nobody had told me about {thing}.",
    "There is a bench at {place} from which you can see everything that this article is about.",
    "People at {place} will tell you that {doing} cannot be learned from a book, and then lend you one.",
    "For eleven years I had walked past {thing} without a thought.",
    "My neighbour has a way of {doing} that takes twice as long and is right.",
    "In the spring of that year I was sent to {place} with a notebook, a flask and a poor idea of {doing}.",
]
MIDDLES = [
    "I wrote that down at {place}, on the back of a receipt, and have it still.",
    "You do not notice it at first. Then you notice nothing else.",
    "There is more to {thing} than that, but it is a good beginning.",
    "Whoever has spent a week {doing} knows the moment when the hands stop asking.",
    "I asked what would happen if one did it the other way. There was a pause, of the kind reserved for visitors.",
    "It is a small thing, and it decides the rest of the day.",
    "None of this is secret. It is only that nobody writes down what everyone knows.",
    "At {place} they do it differently, and are happy to explain what is wrong with us.",
    "We stopped for tea then, because it was four, and because {thing} does not mind.",
    "I have since met two people who disagree with this, and one of them had a point.",
    "The light was going by then, and with it the argument.",
    "It helps to have done it wrong once, on your own, and not far from home.",
]
CLOSINGS = [
    "I still think about {thing} on the way to work. It has not made me faster at anything, and that may be the point.",
    "So that is {doing}. It will be there next year, which is more than can be said of most advice.",
    "If you find yourself at {place}, go and see. Take a coat, and time.",
    "On the way back nobody said much. It had been a good day, and we were carrying it carefully.",
    "The rest you will have to find out, and I rather envy you.",
]
HEADINGS = [
    "What it takes",
    "The other way",
    "A word on {thing}",
    "At {place}",
    "What I would do again",
    "Later that year",
    "How it is done",
]
COMMENTS = [
    "My grandmother did exactly this, and would not be told either.",
    "Thank you. I have been {doing} for years and had no words for it.",
    "At {place} the bench is gone, I am sorry to say. The view is not.",
    "I read this aloud at breakfast. We were late for everything.",
    "Surely it depends on {thing}?",
    "More of these, please.",
    "I tried it at the weekend. It rained. It worked.",
    "There is a man at {place} who would argue with your third paragraph until dark.",
    "Beautifully put.",
]

#: The newest articles, which a visitor sees first: (title, summary, names of subjects, number of the author).
SHOWN_FIRST = [
    (
        "The harbour at four in the morning",
        "Before the gulls are up and after the last light is out, a working harbour has an hour to itself. "
        "I went to see what it does with it.",
        ("Harbours", "Tides", "Walking"),
        0,
    ),
    (
        "A drawer that fits in August",
        "Oak remembers every summer it has lived through. On building furniture for a house with weather in it.",
        ("Woodwork", "Weather"),
        1,
    ),
    (
        "Rye, and the long Friday",
        "A loaf that takes twenty hours, of which the baker is needed for forty minutes. The question is which.",
        ("Bread", "Winter"),
        2,
    ),
    (
        "Three flashes, then dark",
        "Every light on this coast says its own name, over and over, to whoever is out there counting.",
        ("Lighthouses", "Maps"),
        3,
    ),
    (
        "The last sleeper to the sea",
        "Nineteen hours, two borders, one very small sink. Why the slow way to the coast is also the shorter one.",
        ("Night trains", "Ferries"),
        9,
    ),
    (
        "How to date a hedge",
        "Thirty paces, a list of trees and a little arithmetic: the oldest thing in the parish may be what keeps "
        "the sheep in.",
        ("Hedgerows", "Walking"),
        6,
    ),
    (
        "Saving my mother's cookery book",
        "It had lost its spine, its index and most of October. A repair in eleven evenings.",
        ("Bookbinding", "Repair"),
        5,
    ),
    (
        "Ten thousand knots",
        "They come in with the tide like one thought, and my job is to say how many. I have a method. "
        "It is not a good one.",
        ("Shorebirds", "Tides"),
        7,
    ),
    (
        "Beans on the fourth floor",
        "The roof bears two hundred kilos a square metre, and I have spent them all on soil.",
        ("Gardens", "Soil"),
        8,
    ),
    (
        "The cheese that wanted another month",
        "Summer milk, a cold cellar, and the hardest part of the craft, which is going away and shutting the door.",
        ("Cheese", "Ferments"),
        11,
    ),
    (
        "A clock that was right twice",
        "It came in a shoebox with a note that said sorry. On taking things apart for people.",
        ("Repair", "Tools"),
        10,
    ),
    (
        "The blank part of the map",
        "Between the quarry and the river the surveyors wrote nothing. I went to look at the nothing.",
        ("Maps", "Moorland", "Walking"),
        4,
    ),
    (
        "An apple called nothing",
        "The oldest tree in the orchard has no name that anyone remembers. In March we gave it eleven children.",
        ("Orchards", "Gardens"),
        6,
    ),
]


class Draft(NamedTuple):
    """An article before it is in the database. Subjects and author by number."""

    title: str
    summary: str
    body: str
    subjects: tuple[int, ...]
    author: int
    published_at: datetime
    comments: tuple[tuple[str, str, datetime], ...]


def drafts(count: int, authors: int, seed: int = 7) -> Iterator[Draft]:
    """``count`` articles, the newest first; about two and a half a week."""
    dice = random.Random(seed)
    names = [subject.name for subject in SUBJECTS]
    at = NEWEST
    titles: set[str] = set()
    for number in range(count):
        if number < len(SHOWN_FIRST):
            title, summary, own, author = SHOWN_FIRST[number]
            subjects = tuple(names.index(name) for name in own)
        else:
            subjects = tuple(dice.sample(range(len(SUBJECTS)), dice.choice([1, 2, 2, 3])))
            title = _title(dice, SUBJECTS[subjects[0]], titles)
            summary = _filled(dice, dice.choice(SUMMARIES), SUBJECTS[subjects[0]])
            author = dice.randrange(authors)
        titles.add(title)
        body = "\n\n".join(_body(dice, [SUBJECTS[each] for each in subjects]))
        yield Draft(title, summary, body, subjects, author, at, tuple(_comments(dice, SUBJECTS[subjects[0]], at)))
        at -= timedelta(hours=dice.randint(30, 104), minutes=dice.randint(0, 59))


def _title(dice: random.Random, subject: Subject, taken: set[str]) -> str:
    for _ in range(200):
        title = _filled(dice, dice.choice(TITLES), subject)
        if title not in taken:
            return title
    return f"{title}, again ({len(taken)})"


def _filled(dice: random.Random, pattern: str, subject: Subject) -> str:
    thing, other = dice.sample(subject.things, 2)
    doing, place, fact = dice.choice(subject.doings), dice.choice(PLACES), dice.choice(subject.facts)
    words = {"thing": thing, "other": other, "doing": doing, "place": place, "fact": fact}
    words |= {name.capitalize(): word[0].upper() + word[1:] for name, word in words.items()}
    return pattern.format(**words)


def _body(dice: random.Random, subjects: list[Subject]) -> Iterator[str]:
    main = subjects[0]
    facts = [fact for subject in subjects for fact in dice.sample(subject.facts, 4)]
    middles = dice.sample(MIDDLES, len(MIDDLES))
    yield " ".join([_filled(dice, dice.choice(OPENINGS), main), facts.pop(0), _filled(dice, middles.pop(), main)])
    headings = dice.sample(HEADINGS, 2)
    for number in range(dice.randint(4, 6)):
        subject = subjects[number % len(subjects)]
        if number in (1, 3):
            yield f"## {_filled(dice, headings.pop(), subject)}"
        if number == 2:
            yield f"> {facts.pop(0) if facts else dice.choice(main.facts)}"
        sentences = [_filled(dice, middles.pop(), subject) for _ in range(min(2, len(middles)))]
        sentences[1:1] = [
            facts.pop(0)
            if facts
            else _filled(dice, "There is {thing}, and there is {other}; the rest is {doing}.", subject)
        ]
        yield " ".join(sentences)
    yield _filled(dice, dice.choice(CLOSINGS), main)


def _comments(dice: random.Random, subject: Subject, after: datetime) -> Iterator[tuple[str, str, datetime]]:
    for pattern in dice.sample(COMMENTS, dice.choice([0, 0, 1, 1, 2, 3, 5])):
        after += timedelta(hours=dice.randint(1, 40), minutes=dice.randint(0, 59))
        yield dice.choice(READERS), _filled(dice, pattern, subject), after
