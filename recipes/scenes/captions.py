"""Captions of scenes in the words that people use, and what each of them says.

    describe(scene, np.random.default_rng(0))  # Caption("a kitten sitting on the red couch at night", ("thing", ...))

A caption may leave words out: a colour, the place, the time, sometimes the thing or what it is on. So a model learns
what is likely if they are not said, and the bits that each word saves can be measured.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from drawings import COLOURS, GROUNDS, THINGS
from scenes import Item, Scene, pick

SYNONYMS = {
    "cat": ("kitten", "kitty"), "dog": ("puppy", "doggy"), "rabbit": ("bunny",), "frog": ("toad",),
    "turtle": ("tortoise",), "chick": ("baby chick",), "ladybug": ("ladybird",), "pig": ("piglet",),
    "ball": ("football", "soccer ball"), "cup": ("mug", "cup of coffee"), "hat": ("top hat",),
    "cake": ("birthday cake",), "mushroom": ("toadstool",), "sunflower": ("flower",), "monkey": ("ape",),
    "sofa": ("couch", "settee"), "car": ("automobile",), "box": ("package", "carton"), "boat": ("sailboat", "ship"),
    "house": ("home", "cottage"), "table": ("desk",), "chair": ("seat",),
}  # fmt: skip
PLURALS = {"butterfly": "butterflies", "strawberry": "strawberries", "fox": "foxes", "fish": "fish", "bunny": "bunnies"}
PLURALS |= {"kitty": "kitties", "puppy": "puppies", "doggy": "doggies", "cup of coffee": "cups of coffee"}
RELATIONS = {
    "on": ("on", "on", "on", "sitting on", "sitting on", "on top of", "standing on", "resting on"),
    "under": ("under", "under", "below", "beneath", "underneath"),
    "in front of": ("in front of", "in front of", "standing in front of"),
    "behind": ("behind", "behind", "hiding behind", "in back of"),
    "left of": ("left of", "to the left of", "on the left of"),
    "right of": ("right of", "to the right of", "on the right of"),
}
NEXT = ("next to", "beside", "by")
PRONOUN = {"left of": "to its left", "right of": "to its right"}
PLACE = {
    "room": ("in a room", "indoors", "at home", "inside"),
    "meadow": ("in a meadow", "on the grass", "in a field"),
    "beach": ("on the beach", "at the beach", "by the sea"),
    "snow": ("in the snow", "in winter", "on snow"),
    "street": ("in the street", "in town", "in the city", "on a street"),
}
TIME = {
    "day": ("by day", "in the daytime", "on a sunny day"),
    "night": ("at night", "at night", "in the dark", "by moonlight"),
    "rain": ("in the rain", "in the rain", "on a rainy day"),
}
SAID = {"day": 0.12, "night": 0.92, "rain": 0.92}
PLACE_SAID, GROUND_COLOUR_SAID, SYNONYM = 0.55, 0.9, 0.25
LEFT_OUT = {"thing": 0.03, "ground": 0.04}
NEXT_SAID = 0.15
FORMS = {
    "plain": 0.42, "bare": 0.12, "after": 0.12, "there": 0.07, "asked": 0.09, "with": 0.08, "inverted": 0.06,
    "is": 0.04,
}  # fmt: skip
"""Probabilities of the forms of a sentence."""
UNSEEN_FORMS = ("between", "listed")
"""Forms that no training caption has: "a cat at night on a red sofa", "a red sofa and a cat on it"."""
ASKED = ("a picture of", "a drawing of", "an image of", "draw", "paint", "please draw", "show me", "i want")


SENTENCE = "[a/an {colour} {thing}] [{relation=on} a/an {colour} {support}] [{place}] [{time}]"
"""How a sentence is built of words that are chosen; see `prompts.json` in docs/reference/file_formats.md."""


def word_kinds() -> dict[str, list[str]]:
    """Return the words of captions by kind: first the kinds of `SENTENCE`, then other words for the same."""
    plurals = [plural(name) for thing in THINGS for name in (thing, *SYNONYMS.get(thing, ()))]
    kinds = {
        "colour": list(COLOURS),
        "thing": list(THINGS),
        "relation": [*RELATIONS, "next to"],
        "support": list(GROUNDS),
        "place": [words[0] for words in PLACE.values()],
        "time": [words[0] for words in TIME.values()],
        "other names": [name for thing in (*THINGS, *GROUNDS) for name in SYNONYMS.get(thing, ())],
        "several": plurals,
        "number": ["two", "three", "2", "3", "a pair of"],
        "other relations": [each for words in (*RELATIONS.values(), NEXT, PRONOUN.values()) for each in words],
        "other places": [each for words in PLACE.values() for each in words[1:]],
        "other times": [each for words in TIME.values() for each in words[1:]],
        "asking": [*ASKED, "there is", "there are", "with", "and", "something"],
    }
    return {kind: list(dict.fromkeys(words)) for kind, words in kinds.items()}


class Caption(NamedTuple):
    """A sentence, and which of thing, thing colour, relation, next, ground, ground colour, place, time it says."""

    text: str
    said: tuple[str, ...]


def plural(noun: str) -> str:
    """Return the plural of a noun."""
    return PLURALS.get(noun, noun + ("es" if noun.endswith(("x", "ch", "s")) else "s"))


def article(words: str) -> str:
    """Put "a" or "an" before words."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


class _Writer:
    """What the sentence of a scene consists of; `said` grows with it."""

    def __init__(self, scene: Scene, rng: np.random.Generator, bare: bool) -> None:
        self.scene, self.rng, self.bare = scene, rng, bare
        self.said: list[str] = []
        self.has_thing = scene.ground is None or rng.random() >= LEFT_OUT["thing"]
        self.has_ground = scene.ground is not None and not (self.has_thing and rng.random() < LEFT_OUT["ground"])

    def noun(self, item: Item, colour: bool, count: int = 1) -> str:
        """Name an item, with its colour and its number."""
        word = item.name
        if word in SYNONYMS and self.rng.random() < SYNONYM:
            word = pick(self.rng, SYNONYMS[word])
        word = word if count == 1 else plural(word)
        words = f"{item.colour} {word}" if colour and item.colour else word
        if count > 1:
            number = {2: ("two", "two", "two", "2", "a pair of"), 3: ("three", "three", "3")}[count]
            return f"{pick(self.rng, number)} {words}"
        if self.bare:
            return words
        return f"the {words}" if self.rng.random() < 0.12 else article(words)

    def things(self) -> str:
        """Name what is seen first."""
        if not self.has_thing:
            return "something"
        scene = self.scene
        self.said.append("thing")
        is_ground = scene.things[0].name in GROUNDS
        colour = not is_ground or self.rng.random() < GROUND_COLOUR_SAID
        if colour and any(item.colour for item in scene.things):
            self.said.append("thing colour")
        return " and ".join(self.noun(item, colour, scene.count) for item in scene.things)

    def ground(self) -> str:
        """Name what they are on, under or next to."""
        item = self.scene.ground
        assert item is not None
        self.said.append("ground")
        colour = item.name in THINGS or self.rng.random() < GROUND_COLOUR_SAID
        if colour and item.colour:
            self.said.append("ground colour")
        return self.noun(item, colour)

    def relation(self) -> str:
        """Name the relation; next to each other may stand for left and right."""
        relation = self.scene.relation
        if relation in PRONOUN and self.rng.random() < NEXT_SAID:
            self.said.append("next")
            return pick(self.rng, NEXT)
        self.said.append("relation")
        words = pick(self.rng, RELATIONS[relation])
        return relation if self.bare and self.rng.random() < 0.7 else words

    def where(self) -> str:
        """Name place and time, or one of them, or none."""
        words = []
        if self.rng.random() < PLACE_SAID:
            self.said.append("place")
            words.append(pick(self.rng, PLACE[self.scene.place]))
        if self.rng.random() < SAID[self.scene.time]:
            self.said.append("time")
            words.append(pick(self.rng, TIME[self.scene.time]))
        return " ".join(words if self.rng.random() < 0.8 else words[::-1])


def describe(scene: Scene, rng: np.random.Generator, form: str = "") -> Caption:
    """Write a caption, in a form that is drawn or given."""
    form = form or str(rng.choice(list(FORMS), p=list(FORMS.values())))
    writer = _Writer(scene, rng, form == "bare")
    things, where = writer.things(), writer.where()
    if writer.has_ground:
        sentence = _about_ground(writer, form, things)
    else:
        sentence = f"there is {things}" if form in ("there", "is") else things
    if form == "asked":
        sentence = f"{pick(rng, ASKED)} {sentence}"
    if form == "between" and writer.has_ground:
        thing, relation = sentence.split("|")
        text = f"{thing} {where} {relation}"
    elif form == "after" and where:
        text = f"{where}, {sentence}"
    else:
        text = f"{sentence} {where}"
    return Caption(" ".join(text.replace("|", " ").split()), tuple(writer.said))


def _about_ground(writer: _Writer, form: str, things: str) -> str:
    """Say how things are to the ground."""
    relation, ground = writer.relation(), writer.ground()
    scene = writer.scene
    verb = "are" if len(scene.things) * scene.count > 1 else "is"
    if form == "with" or form == "listed":
        it = f"{relation} it" if "next" in writer.said else PRONOUN.get(scene.relation, f"{relation} it")
        return f"{ground} {'with' if form == 'with' else 'and'} {things} {it}"
    if form == "inverted":
        return f"{relation} {ground} {verb} {things}"
    if form == "there":
        return f"there {verb} {things} {relation} {ground}"
    if form == "is":
        return f"{things} {verb} {relation} {ground}"
    return f"{things}|{relation} {ground}"
