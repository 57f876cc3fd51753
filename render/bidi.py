"""Which way each character of a line runs: the Unicode Bidirectional Algorithm (UAX 9). Pure; knows no fonts."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeVar

Direction = Literal["ltr", "rtl"]
T = TypeVar("T")

_DEEPEST = 125
_EMBEDDINGS = {"LRE": 0, "LRO": 0, "RLE": 1, "RLO": 1}
_ISOLATES = {"LRI": 0, "RLI": 1, "FSI": None}
_REMOVED = (*_EMBEDDINGS, "PDF", "BN")  # Rule X9.
_NEUTRAL = ("B", "S", "WS", "ON", *_ISOLATES, "PDI")
_BLANK = ("S", "WS", *_ISOLATES, "PDI", *_REMOVED)
_BRACKETS = dict(zip("([{⁅⁽₍❨❪❬❮❰❲❴⟦⟨⟪⟬⟮⦃⦅⦇⦉⦋⦑⦓⦕⦗⧘⧚⧼⸢⸤⸦⸨〈《「『【〔〖〘〚（［｛｟｢〈",  # noqa: RUF001
                     ")]}⁆⁾₎❩❫❭❯❱❳❵⟧⟩⟫⟭⟯⦄⦆⦈⦊⦌⦒⦔⦖⦘⧙⧛⧽⸣⸥⸧⸩〉》」』】〕〗〙〛）］｝｠｣〉", strict=True))  # noqa: RUF001  # fmt: skip
_CLOSING = {close: open_ for open_, close in _BRACKETS.items()}
_MOST_OPEN = 63


def levels(words: str, direction: Direction) -> list[int]:
    """The embedding level of each character of one line; odd ones run from right to left.

    Overrides count as embeddings: nobody but a forger of file names wants Latin letters backwards.
    """
    kinds = [unicodedata.bidirectional(char) or "L" for char in words]
    base = int(direction == "rtl")
    explicit = _explicit(kinds, base)
    found = list(explicit)
    for places in _sequences(kinds, explicit):
        for at, level in _Sequence(words, kinds, explicit, places, base).resolved():
            found[at] = level
    for at, kind in enumerate(kinds):
        if kind in _REMOVED:
            found[at] = found[at - 1] if at else base
    for at in range(len(words) - 1, -1, -1):  # Rule L1.
        if kinds[at] not in _BLANK:
            break
        found[at] = base
    return found


def visual(items: Sequence[T], levels: Sequence[int]) -> list[T]:
    """Items of one line from left to right, by their levels (rule L2)."""
    order = list(range(len(items)))
    odd = [level for level in levels if level % 2]
    for least in range(max(levels, default=0), min(odd, default=1) - 1, -1):
        start = 0
        while start < len(order):
            end = start
            while end < len(order) and levels[order[end]] >= least:
                end += 1
            order[start:end] = reversed(order[start:end])
            start = end + 1
    return [items[at] for at in order]


def _explicit(kinds: Sequence[str], base: int) -> list[int]:
    """Levels by embeddings and isolates (rules X1 to X8)."""
    found: list[int] = []
    stack = [(base, False)]
    too_deep_isolates = too_deep = isolates = 0
    for at, kind in enumerate(kinds):
        if kind == "PDI":
            if too_deep_isolates:
                too_deep_isolates -= 1
            elif isolates:
                too_deep, isolates = 0, isolates - 1
                while not stack[-1][1]:
                    stack.pop()
                stack.pop()
        found.append(stack[-1][0])
        if kind in _EMBEDDINGS or kind in _ISOLATES:
            is_isolate = kind in _ISOLATES
            side = _EMBEDDINGS[kind] if not is_isolate else _side(kinds, at, kind)
            level = stack[-1][0] + (1 if (stack[-1][0] + 1) % 2 == side else 2)
            if level <= _DEEPEST and not too_deep and not too_deep_isolates:
                stack.append((level, is_isolate))
                isolates += is_isolate
            elif is_isolate:
                too_deep_isolates += 1
            elif not too_deep_isolates:
                too_deep += 1
        elif kind == "PDF" and not too_deep_isolates:
            if too_deep:
                too_deep -= 1
            elif len(stack) > 1 and not stack[-1][1]:
                stack.pop()
    return found


def _side(kinds: Sequence[str], at: int, kind: str) -> int:
    """0 for an isolate that runs to the right, 1 to the left; a first strong one as rules P2 and P3 have it."""
    side = _ISOLATES[kind]
    depth = 0
    for inner in kinds[at + 1 :] if side is None else ():
        if inner in _ISOLATES:
            depth += 1
        elif inner == "PDI":
            depth -= 1
            if depth < 0:
                break
        elif depth == 0 and inner in ("L", "R", "AL"):
            return int(inner != "L")
    return side or 0


def _sequences(kinds: Sequence[str], found: Sequence[int]) -> Iterator[list[int]]:
    """Isolating run sequences (definition BD13), as places in the line."""
    runs: list[list[int]] = []
    for at, kind in enumerate(kinds):
        if kind in _REMOVED:
            continue
        if runs and found[runs[-1][-1]] == found[at]:
            runs[-1].append(at)
        else:
            runs.append([at])
    waiting: list[list[int]] = []
    done: list[list[int]] = []
    for run in runs:
        if kinds[run[0]] == "PDI" and waiting and found[waiting[-1][-1]] == found[run[0]]:
            sequence = waiting.pop()
            sequence += run
        else:
            sequence = run
            done.append(sequence)
        if kinds[run[-1]] in _ISOLATES:
            waiting.append(sequence)
    yield from done


class _Sequence:
    """One isolating run sequence while it is resolved (rules X10, W1 to I2)."""

    def __init__(
        self, words: str, kinds: Sequence[str], explicit: Sequence[int], places: Sequence[int], base: int
    ) -> None:
        self._words, self._places = words, places
        self._level = explicit[places[0]]
        self._kinds = [kinds[at] for at in places]
        before = next((explicit[at] for at in range(places[0] - 1, -1, -1) if kinds[at] not in _REMOVED), base)
        ahead = range(places[-1] + 1, len(kinds))
        after = next((explicit[at] for at in ahead if kinds[at] not in _REMOVED), base)
        if kinds[places[-1]] in _ISOLATES:
            after = base
        self._start = "R" if max(before, self._level) % 2 else "L"
        self._end = "R" if max(after, self._level) % 2 else "L"

    def resolved(self) -> Iterator[tuple[int, int]]:
        """Places in the line and their levels."""
        original = list(self._kinds)
        self._weak()
        self._brackets(original)
        self._neutral()
        for at, kind in zip(self._places, self._kinds, strict=True):
            if self._level % 2:
                yield at, self._level + (kind != "R")
            else:
                yield at, self._level + {"L": 0, "R": 1}.get(kind, 2)

    def _weak(self) -> None:
        kinds = self._kinds
        strong = before = self._start
        for at, kind in enumerate(kinds):
            if kind == "NSM":  # W1
                kind = "ON" if before in _ISOLATES or before == "PDI" else before
            if kind in ("L", "R", "AL"):
                strong = kind
            before = kind
            if kind == "EN" and strong == "AL":  # W2
                kind = "AN"
            kinds[at] = kind
        kinds[:] = ["R" if kind == "AL" else kind for kind in kinds]  # W3
        for at in range(1, len(kinds) - 1):  # W4
            around = kinds[at - 1]
            if kinds[at + 1] == around and (
                (kinds[at] == "ES" and around == "EN") or (kinds[at] == "CS" and around in ("EN", "AN"))
            ):
                kinds[at] = around
        for start, end in _stretches(kinds, ("ET",)):  # W5
            if "EN" in (kinds[start - 1] if start else "", kinds[end] if end < len(kinds) else ""):
                kinds[start:end] = ["EN"] * (end - start)
        strong = self._start
        for at, kind in enumerate(kinds):
            if kind in ("ES", "ET", "CS"):  # W6
                kinds[at] = "ON"
            elif kind in ("L", "R"):
                strong = kind
            elif kind == "EN" and strong == "L":  # W7
                kinds[at] = "L"

    def _brackets(self, original: Sequence[str]) -> None:
        """Rule N0: a pair of brackets takes one direction."""
        own = "R" if self._level % 2 else "L"
        for open_, close in self._pairs():
            inside = {_strong(kind) for kind in self._kinds[open_ + 1 : close]}
            side = ""
            if own in inside:
                side = own
            elif inside & {"L", "R"}:
                before = (_strong(kind) for kind in reversed(self._kinds[:open_]))
                context = next((kind for kind in before if kind), self._start)
                side = context if context != own else own
            if side:
                for at in (open_, close):
                    self._kinds[at] = side
                    for mark in range(at + 1, len(original)):
                        if original[mark] != "NSM":
                            break
                        self._kinds[mark] = side

    def _pairs(self) -> list[tuple[int, int]]:
        stack: list[tuple[str, int]] = []
        pairs: list[tuple[int, int]] = []
        for at, place in enumerate(self._places):
            char = unicodedata.normalize("NFC", self._words[place])
            if self._kinds[at] != "ON":
                continue
            if char in _BRACKETS:
                if len(stack) == _MOST_OPEN:
                    return []
                stack.append((char, at))
            elif char in _CLOSING:
                for depth in range(len(stack) - 1, -1, -1):
                    if stack[depth][0] == _CLOSING[char]:
                        pairs.append((stack[depth][1], at))
                        del stack[depth:]
                        break
        return sorted(pairs)

    def _neutral(self) -> None:
        kinds = self._kinds
        own = "R" if self._level % 2 else "L"
        for start, end in _stretches(kinds, _NEUTRAL):  # N1, N2
            before = _strong(kinds[start - 1]) if start else self._start
            after = _strong(kinds[end]) if end < len(kinds) else self._end
            kinds[start:end] = [before if before == after else own] * (end - start)


def _strong(kind: str) -> str:
    """A kind as rules N0 to N2 see it, where numbers count as R; empty for what has no direction."""
    return "R" if kind in ("R", "EN", "AN") else "L" if kind == "L" else ""


def _stretches(kinds: Sequence[str], wanted: Iterable[str]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for at, kind in enumerate(kinds):
        if kind not in wanted:
            continue
        if found and found[-1][1] == at:
            found[-1] = found[-1][0], at + 1
        else:
            found.append((at, at + 1))
    return found
