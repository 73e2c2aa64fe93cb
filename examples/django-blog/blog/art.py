"""Covers: small landscapes in layers, drawn as SVG from a text. The same text gives the same picture everywhere."""

import math
from hashlib import sha256

WIDTH, HEIGHT = 960, 600

NIGHT = "#2b3a55"

#: Sky above, sky at the horizon, sun, and the layers from far to near.
PALETTES = [
    ("#f6d9b8", "#fbeedd", "#e2725b", ["#c9b6a4", "#9aa89a", "#5f7f78", "#2f5559"]),
    ("#bcd7de", "#eef3ea", "#f4c95d", ["#a3bfc0", "#6f9a9a", "#3f6f78", "#1f4552"]),
    (NIGHT, "#8a7f9c", "#f3e3c3", ["#5d5f80", "#454c6b", "#2f3753", "#1c2238"]),
    ("#f2b8a0", "#fae3d0", "#c8553d", ["#d79a86", "#a86f69", "#75505a", "#43384a"]),
    ("#dfe7d0", "#f7f5e6", "#e0a458", ["#b9c6a0", "#8aa37b", "#587a58", "#2d5040"]),
    ("#9fc3cf", "#f3e9d8", "#d96c4f", ["#8fb0ad", "#d9c7a0", "#b3945f", "#6d5a3c"]),
    ("#e9d5c9", "#f9f1ea", "#b5556b", ["#cdb0b3", "#9d8496", "#6a5f7e", "#3b3c5c"]),
    ("#cfe3ea", "#fdfaf3", "#ef9f5a", ["#bcd0d6", "#8eb0bd", "#5484a0", "#23506f"]),
]


class Dice:
    """Numbers from a digest: any two texts roll differently, and each always the same."""

    def __init__(self, text: str) -> None:
        self._text, self._rolled = text, 0

    def between(self, least: float, most: float) -> float:
        self._rolled += 1
        digest = sha256(f"{self._text}/{self._rolled}".encode()).digest()
        return least + (most - least) * int.from_bytes(digest[:4], "big") / 0xFFFFFFFF

    def pick(self, things: list) -> object:
        return things[min(len(things) - 1, int(self.between(0, len(things))))]


def cover_svg(text: str) -> str:
    dice = Dice(text)
    above, horizon, sun, layers = dice.pick(PALETTES)
    x, y, r = dice.between(140, 820), dice.between(120, 270), dice.between(38, 84)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="xMidYMid slice">',
        f'<defs><linearGradient id="s" x1="0" y1="0" x2="0" y2="1"><stop stop-color="{above}"/>'
        f'<stop offset=".7" stop-color="{horizon}"/></linearGradient></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="url(#s)"/>',
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{r * 1.9:.0f}" fill="{sun}" opacity=".13"/>',
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{r:.0f}" fill="{sun}"/>',
        *_clouds(dice, horizon),
    ]
    if above == NIGHT:
        parts += _stars(dice)
    scene = next((scene for words, scene in SCENES if any(word in text for word in words)), None)
    parts += (scene or dice.pick([_hills, _sea, _forest, _hills]))(dice, layers, x, sun)
    return "".join([*parts, *_birds(dice, layers[3]), "</svg>"])


def _stars(dice: Dice) -> list[str]:
    at = [(dice.between(0, WIDTH), dice.between(0, 300), dice.between(0.8, 2.2)) for _ in range(40)]
    return [f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{r:.1f}" fill="#fff" opacity=".7"/>' for x, y, r in at]


def _bar(x: float, y: float, width: float, height: float, colour: str, opacity: float) -> str:
    """A rounded bar: of a cloud, a glint or a wave."""
    at = f'x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height}" rx="{height / 2:g}"'
    return f'<rect {at} fill="{colour}" opacity="{opacity:.2f}"/>'


def _clouds(dice: Dice, colour: str) -> list[str]:
    found = []
    for _ in range(int(dice.between(1, 4))):
        x, y, w = dice.between(-60, 800), dice.between(60, 260), dice.between(140, 320)
        found.append(_bar(x, y, w, 12, colour, 0.75))
        found.append(_bar(x + w * 0.2, y - 12, w * 0.5, 12, colour, 0.6))
    return found


def _ridge(dice: Dice, base: float, swing: float, colour: str) -> str:
    """One range of hills: a sum of three waves."""
    waves = [
        (dice.between(0.4, 1.2), dice.between(0, 7)),
        (dice.between(1.5, 2.6), dice.between(0, 7)),
        (dice.between(3, 6), dice.between(0, 7)),
    ]
    points = []
    for step in range(49):
        angle = 2 * math.pi * step / 48
        lift = sum(math.sin(angle * pace + shift) / (index + 1) for index, (pace, shift) in enumerate(waves))
        points.append(f"{step * 20} {base - swing * lift:.0f}")
    return f'<path d="M0 {HEIGHT}L{"L".join(points)}L{WIDTH} {HEIGHT}Z" fill="{colour}"/>'


def _hills(dice: Dice, layers: list[str], _x: float, _sun: str) -> list[str]:
    parts = [_ridge(dice, 330 + 75 * index, 46 - 6 * index, colour) for index, colour in enumerate(layers)]
    # Furrows on the nearest field.
    for row in range(5):
        y = 585 - row * 9
        line = f"M0 {y + 14}Q480 {y - 22} 960 {y + 10}"
        parts.append(f'<path d="{line}" stroke="{layers[2]}" stroke-width="1.6" fill="none" opacity=".5"/>')
    return parts


def _sea(dice: Dice, layers: list[str], x: float, sun: str) -> list[str]:
    level = dice.between(350, 400)
    parts = [_ridge(dice, level + 4, 26, layers[0])]
    parts.append(f'<rect y="{level:.0f}" width="{WIDTH}" height="{HEIGHT - level:.0f}" fill="{layers[2]}"/>')
    for row in range(9):
        y, half = level + 10 + row * 13, dice.between(18, 70) * (1 - row / 14)
        parts.append(_bar(x - half, y, 2 * half, 4, sun, 0.7 - row * 0.06))
    for _ in range(16):
        w, y = dice.between(30, 120), dice.between(level + 8, HEIGHT - 60)
        parts.append(_bar(dice.between(-20, 940), y, w, 3, layers[1], 0.55))
    if dice.between(0, 1) < 0.4:
        parts += _lighthouse(dice, level, layers)
    return [*parts, *_boat(dice, level, layers), _ridge(dice, HEIGHT - 40, 26, layers[3])]


def _boat(dice: Dice, level: float, layers: list[str]) -> list[str]:
    x, y, s = dice.between(120, 840), level + dice.between(30, 80), dice.between(0.8, 1.5)
    at = f'transform="translate({x:.0f} {y:.0f}) scale({s:.2f})"'
    return [
        f'<g {at}><path d="M-34 0H34L24 14H-24Z" fill="{layers[3]}"/>'
        f'<path d="M-2 -6V-66L-30 -6Z" fill="#fffaf0"/><path d="M3 -6V-54L26 -6Z" fill="#fffaf0" opacity=".8"/></g>'
    ]


def _lighthouse(dice: Dice, level: float, layers: list[str]) -> list[str]:
    x, s = dice.between(120, 840), dice.between(0.9, 1.3)
    at = f'transform="translate({x:.0f} {level + 16:.0f}) scale({s:.2f})"'
    return [
        f'<g {at}><path d="M-130 10Q-60 -26 0 -24T140 10Z" fill="{layers[3]}"/>'
        f'<path d="M-15 -20L-9 -128H9L15 -20Z" fill="#fffaf0"/><path d="M-13 -56L-11 -86H11L13 -56Z" fill="#b5483a"/>'
        f'<rect x="-14" y="-134" width="28" height="7" fill="{layers[3]}"/>'
        f'<rect x="-8" y="-150" width="16" height="17" fill="#ffe6a3" stroke="{layers[3]}" stroke-width="2"/>'
        f'<path d="M-11 -150L0 -164L11 -150Z" fill="#b5483a"/></g>'
    ]


def _forest(dice: Dice, layers: list[str], _x: float, _sun: str) -> list[str]:
    parts = [_ridge(dice, 320, 50, layers[0]), _ridge(dice, 390, 40, layers[1])]
    for depth, least, most, colour in ((455, 60, 120, layers[2]), (540, 90, 190, layers[3])):
        x = dice.between(-30, 0)
        while x < WIDTH + 40:
            h, foot = dice.between(least, most), depth + 60
            for tier in range(3):  # a spruce is three triangles, each wider than the one above
                top, low = foot - h * (1 - 0.26 * tier), foot - h * (0.5 - 0.25 * tier)
                w = h * (0.13 + 0.06 * tier)
                parts.append(f'<path d="M{x:.0f} {top:.0f}L{x + w:.0f} {low:.0f}H{x - w:.0f}Z" fill="{colour}"/>')
            x += dice.between(0.25, 0.75) * most * 0.8
        parts.append(_ridge(dice, depth + 40, 16, colour))
    return parts


def _birds(dice: Dice, colour: str) -> list[str]:
    x, y = dice.between(200, 700), dice.between(90, 220)
    found = []
    for _ in range(int(dice.between(0, 6))):
        a, b, s = x + dice.between(-90, 90), y + dice.between(-40, 40), dice.between(7, 13)
        left = f"M{a - s:.0f} {b - s / 2:.0f}Q{a - s / 2:.0f} {b - s:.0f} {a:.0f} {b:.0f}"
        right = f"Q{a + s / 2:.0f} {b - s:.0f} {a + s:.0f} {b - s / 2:.0f}"
        style = f'stroke="{colour}" stroke-width="2.4" fill="none" stroke-linecap="round"'
        found.append(f'<path d="{left}{right}" {style}/>')
    return found


#: What a text is about, as far as a picture can tell.
SCENES = [
    (("harbour", "tide", "sea", "ferr", "island", "light", "flash", "boat", "shore", "knots", "water", "bay"), _sea),
    (("hedge", "wood", "oak", "winter", "log", "forest"), _forest),
    (("map", "moor", "field", "soil", "furrow", "orchard", "apple", "garden", "bean"), _hills),
]
