"""The grammar of the captions of scenes, as `prompts.json` of a model has it; see docs/reference/file_formats.md.

grammar()["sentences"]
"""

from __future__ import annotations

from typing import Any

from captions import ASKED, NEXT, PLACE, PRONOUN, RELATIONS, SYNONYMS, TIME, plural
from drawings import COLOURS, GROUNDS, OWN_COLOURS, RECOLOURED, THINGS
from scenes import seats_two

REVERSED = {
    "under": "on",
    "behind": "in front of",
    "in front of": "behind",
    "left of": "right of",
    "right of": "left of",
}
SAYS = {
    "on": ("riding", "riding on", "perched on", "lying on", "sleeping on", "sat on", "atop", "upon", "seated on"),
    "under": ("hiding under", "sitting under", "standing under", "lying under"),
    "next to": ("sitting next to", "standing next to", "close to", "near", "alongside"),
    "behind": ("sitting behind", "standing behind"),
    "in front of": ("sitting in front of",),
    "red": ("scarlet", "crimson", "ruby", "maroon"), "yellow": ("golden", "gold"), "purple": ("violet", "lilac"),
    "blue": ("turquoise", "cyan", "navy", "azure"), "green": ("lime", "olive", "emerald"), "pink": ("rose", "magenta"),
    "brown": ("beige", "tan"), "sofa": ("sofa bed",), "bear": ("teddy bear",), "car": ("race car", "toy car"),
    "ball": ("beach ball", "tennis ball"),
}  # fmt: skip
"""What people write, and no caption has, for a relation, a colour (by hue), or a thing."""


def names(things: Any) -> list[str]:
    """Return names with their synonyms."""
    return [name for thing in things for name in (thing, *SYNONYMS.get(thing, ()))]


def grammar() -> dict[str, Any]:
    """Return the grammar."""
    relations = list(dict.fromkeys(words for each in GROUNDS.values() for words in each.relations))
    allows = {
        relation: [name for name, ground in GROUNDS.items() if relation in ground.relations] for relation in relations
    }
    words = {
        "colour": list(COLOURS),
        "thing": names(THINGS),
        "things": [plural(name) for name in names(THINGS)],
        "ground": names(GROUNDS),
        **{f"ground {relation}": names(allows[relation]) for relation in relations},
        "wide ground": names(name for name in GROUNDS if seats_two(name)),
        **{relation: list(dict.fromkeys(phrases)) for relation, phrases in RELATIONS.items()},
        "beside": list(dict.fromkeys([*RELATIONS["left of"], *RELATIONS["right of"], *NEXT])),
        "two": ["two", "2", "a pair of"],
        "three": ["three", "3"],
        "place": [each for phrases in PLACE.values() for each in phrases],
        "time": [each for phrases in TIME.values() for each in phrases],
        "asked": list(ASKED),
        "over": ["over", "above"],
        "sits": ["is", "sits", "is sitting", "stands", "is standing", "lies", "is lying", "rests", "is resting"],
    }
    items = {f"a {kind}": f"[a|an|the] [{{colour}}] {{{kind}}}" for kind in ("thing", "ground", "wide ground")}
    items |= {f"a ground {relation}": f"[a|an|the] [{{colour}}] {{ground {relation}}}" for relation in relations}
    parts = {
        **items,
        "pair": "{a thing} and {a thing} | {two} [{colour}] {things}",
        "first": "{a thing} | something",
        "to one": " | ".join(
            [f"{{{relation}}} {{a ground {relation}}}" for relation in relations]
            + ["{beside} ({a thing}|{a ground}|something)"]
        ),
        "to two": "{on} {a wide ground}",
        "where": "{place} [{time}] | {time} [{place}]",
        "alone": "{first} | {a ground} | {pair} | {three} [{colour}] {things}",
        "scene": "{first} [is|are] {to one} | {pair} [are|is] {to two} | {alone}",
        "on it": "{on} it" + "".join(f" | {{{relation}}} it" for relation in relations if relation != "on"),
        "beside it": f"{' | '.join(PRONOUN.values())} | ({'|'.join(NEXT)}) it",
    }
    sentences = [
        "[{asked} | there is | there are] {scene} [{where}]",
        "{where} , [{asked} | there is | there are] {scene}",
        "[{asked}] ({a ground}|{a thing}) with ({first}|{pair}) ({on it}|{beside it}) [{where}]",
        "{where} , ({a ground}|{a thing}) with ({first}|{pair}) ({on it}|{beside it})",
        "({to one}|{to two}) (is|are) ({first}|{pair}) [{where}]",
        "{where} , ({to one}|{to two}) (is|are) ({first}|{pair})",
    ]
    return {
        "words": words,
        "parts": parts,
        "sentences": sentences,
        "rewritten": rewritten(relations),
        "synonyms": {said: relation for relation, phrases in SAYS.items() for said in phrases},
        "nouns": ["thing", "things", "ground"],
        "colours": colours(),
    }


def rewritten(relations: list[str]) -> list[list[str]]:
    """Return forms that say what captions say in other words, and the caption."""
    result = [
        [f"{{a ground}} [is] {{{one}}} {{a thing}} [{{where}}]", f"{{3}} {other} {{1}} {{4}}"]
        for one, other in REVERSED.items()
    ]
    result += [
        ["{a ground} {over} {a thing} [{where}]", "{3} under {1} {4}"],
        ["{first} {where} {to one}", "{1} {3} {2}"],
        ["{pair} {where} {to two}", "{1} {3} {2}"],
        ["{where} {scene}", "{1} , {2}"],
        ["{to one} [{where}]", "something {1} {2}"],
        ["{scene} , {where}", "{1} {2}"],
        ["{place} , {time}", "{1} {2}"],
        ["{scene} {place} , {time}", "{1} {2} {3}"],
        ["{scene} {time} and {place}", "{1} {2} {3}"],
        ["{a ground} , {a thing} [{where}]", "{2} on {1} {3}"],
        ["{a thing} , {a ground} [{where}]", "{1} on {2} {3}"],
        ["{a thing} , {to one} [{where}]", "{1} {2} {3}"],
        ["{first} {sits} {to one} [{where}]", "{1} {3} {4}"],
        ["{pair} {sits} {to two} [{where}]", "{1} {3} {4}"],
        ["({a ground}|{a thing}) (and|has) {first} ({on it}|{beside it}) [{where}]", "{1} {2} with {3} {4} {5} {6}"],
    ]
    for one in relations:
        on_it = f"{{sits}} {{{one}}} it [{{where}}]"
        result.append([f"[the|a] {{ground}} is {{colour}} and {{a thing}} {on_it}", "{3} {5} a {2} {1} {6}"])
        result.append([f"[the|a] {{ground}} is {{colour}} [,] [the|a] {{thing}} {on_it}", "a {3} {5} a {2} {1} {6}"])
    return result


def colours() -> dict[str, list[str]]:
    """Return the colours of things that have one of their own."""
    table = {}
    for thing in THINGS:
        if thing not in RECOLOURED:
            for name in names([thing]):
                table[name] = table[plural(name)] = [OWN_COLOURS[thing]] if thing in OWN_COLOURS else []
    return table
