"""Errors that a user can cause. Each message is one sentence: name, value, rule, remedy."""

import difflib
import math
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

MAX_MESSAGE = 800
"""Longest message, in characters: a value that a file holds may be of any length."""
MAX_VALUE = 200
"""Longest value in a message, in characters."""


def shorten(text: str, limit: int = MAX_MESSAGE) -> str:
    """Cut the middle of a long text, and escape what is not a printable character.

    The beginning of a message names the fault and its end the remedy, so both stay. Escapes keep the values of a
    stranger's file from moving the cursor of a terminal.

    ```python
    shorten("x" * 1000, 9)  # "xxxx…xxxx"
    ```
    """
    text = text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if len(text) <= limit else f"{text[: limit - limit // 2 - 1]}…{text[len(text) - limit // 2 :]}"


def counted(number: int, noun: str) -> str:
    """Write a number with its noun.

    ```python
    counted(1, "image"), counted(2000, "process")  # ("1 image", "2,000 processes")
    ```
    """
    plural = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{plural}"


def clause(sentence: str) -> str:
    """Turn the sentence of an error into a clause without its remedy, which stands after a colon.

    ```python
    clause("This model has no integer program: make one.")  # "this model has no integer program"
    ```
    """
    reason = sentence.partition(":")[0].removesuffix(".")
    return reason[:1].lower() + reason[1:]


def quote(value: object) -> str:
    """Show a value in a message: its `repr`, cut to `MAX_VALUE` characters.

    ```python
    quote("a" * 1000)  # "'aaa…aaa'"
    ```
    """
    return shorten(repr(value), MAX_VALUE)


def closest(name: str, names: Iterable[str]) -> str | None:
    """Return the name of the most similar spelling; None if none is near.

    ```python
    closest("temprature", ["temperature", "top_p"])  # "temperature"
    ```
    """
    public = {_plain(each): each for each in names if not each.startswith("_")}
    return next((public[each] for each in difflib.get_close_matches(_plain(name), public, 1, 0.75)), None)


def _plain(name: str) -> str:
    """Return a name as people remember it: without capitals, dashes and blanks."""
    return re.sub(r"[\s_-]", "", name.lower()).replace("+", "p")


def choices(name: Any, names: Iterable[str]) -> str:
    """Return the end of a sentence on an unknown name: the one of the most similar spelling, if any, and all names.

    ```python
    choices("pixelcnn++", ["pixelcnn", "pixelcnn-pp"])  # "did you mean 'pixelcnn-pp'? Choose one of pixelcnn, ..."
    ```
    """
    known = list(names)
    near = closest(name, known) if isinstance(name, str) else None
    listed = f"hoose one of {', '.join(known)}."
    return f"c{listed}" if near is None else f"did you mean {near!r}? C{listed}"


class PointillistError(Exception):
    """Base of all errors that this package raises on purpose; the command line prints them and exits with code 2.

    ```python
    try:
        model = pt.load("runs/digits")
    except pt.PointillistError as error:
        print(error)
    ```
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(shorten(str(message)))


class ConfigError(PointillistError):
    """A setting has an invalid value.

    Not a `ValueError`: pydantic would wrap it, and the sentence would be lost in its report.

    ```python
    pt.TrainConfig.from_dict({"epoch": 3})  # ConfigError: `epoch` is not a setting: did you mean `epochs`?
    ```
    """


class ShapeError(PointillistError, ValueError):
    """Two arrays that must agree in shape do not, or an image does not fit the model.

    ```python
    model.log_prob(torch.zeros(1, 3, 8, 8))  # ShapeError, for a model of one channel
    ```
    """


class DataError(PointillistError, ValueError):
    """Images, labels or captions cannot be read, or do not match each other.

    ```python
    pt.load_data("no-such-folder/")  # DataError
    ```
    """


class CheckpointError(PointillistError):
    """A model folder is missing, damaged, of a newer format, or not a Pointillist model.

    ```python
    pt.load("no-such-model")  # CheckpointError
    ```
    """


class CausalityError(PointillistError):
    """A layer reads a pixel that is not sampled yet, or contains an operation that cannot run pixel by pixel.

    ```python
    pt.sample(model, 1, engine="torch")  # CausalityError, if a layer of the network averages over all pixels
    ```
    """


class EngineError(PointillistError):
    """A sampling engine does not exist, is not available, or cannot run this model.

    ```python
    pt.sample(model, 1, engine="gpu")  # EngineError
    ```
    """


class TrainingError(PointillistError):
    """Training cannot continue: the loss is not finite or diverges, or a run cannot be resumed.

    ```python
    pt.train(model, digits, {"out": "new-folder"}, resume=True)  # TrainingError: there is nothing to resume
    ```
    """


class JobError(PointillistError):
    """A batch job cannot continue: its processes end again and again, or it is not finished and was to be merged.

    ```python
    pt.jobs.merge("unfinished", "samples.npz")  # JobError: 3 of 64 tasks are missing
    ```
    """


class ArchiveError(PointillistError):
    """A compressed archive is damaged, cut off, of another version, or of another model.

    ```python
    pt.decompress(b"")  # ArchiveError
    ```
    """


class MissingExtraError(PointillistError, ImportError):
    """An optional dependency is not installed.

    Args:
        feature: what needs it, as the subject of the message.
        extra: name of the extra that installs it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra `{extra}`: run `pip install {_requirement(extra)}`.")


def not_a_model(model: object) -> ConfigError:
    return ConfigError(
        f"`model` is a {type(model).__name__}: give a model, from `build` or `load`, or the name or folder of one."
    )


OF_TRAINING = ("torch", "accelerate", "huggingface_hub", "threadpoolctl", "tomli_w")
"""Modules of the extra `train`."""


def missing_training(error: ImportError, feature: str) -> MissingExtraError | None:
    """Return the error of a feature that needs the extra `train`, if an import failed for lack of it; else None.

    ```python
    missing_training(error, "`pt.train`")
    ```
    """
    missing = (getattr(error, "name", None) or "").partition(".")[0]
    return MissingExtraError(feature, "train") if missing in OF_TRAINING else None


def _requirement(extra: str) -> str:
    """Return what pip installs for an extra: from the clone that the package was installed from, or by its name."""
    import json
    from importlib.metadata import distribution
    from pathlib import Path
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    try:
        source = json.loads(distribution("pointillist").read_text("direct_url.json") or "{}")
    except (ImportError, ValueError):
        source = {}
    if "dir_info" not in source:
        return f"'pointillist[{extra}]'"
    folder = url2pathname(urlsplit(source["url"]).path)
    editable = "-e " if source["dir_info"].get("editable") else ""
    return f"{editable}'{'.' if Path(folder) == Path.cwd() else folder}[{extra}]'"


def format_validation_error(error: Any, what: str) -> str:
    """Format a pydantic `ValidationError` as one sentence: the name, value and rule of its first error.

    Args:
        error: the error.
        what: description of the settings with an article, for example "a setting of pixelcnn".
    """
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or what
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"`{where}` is not {what}: check its spelling."
    if first["type"] == "missing":
        return f"`{where}` is missing in {what}: add it."
    message = str(first["msg"]).replace(" after validation", "").replace("a valid tuple", "a list")
    if first["type"] in ("model_type", "model_attributes_type", "dataclass_type"):
        message = "must be an object"
    return f"`{where}` (={quote(first.get('input'))}) is not valid for {what}: {message[0].lower()}{message[1:]}."


def without_effect(name: str, value: Any, needs: Iterable[str], where: str = "") -> ConfigError:
    """Make the error of a setting that changes nothing.

    ```python
    without_effect("--at", "1,1", ["--canvas"])  # `--at` (=1,1) changes nothing without `--canvas`: ...
    ```

    Args:
        needs: settings, of which one must be given for it to have an effect.
        where: what it never has an effect in, for which `needs` are empty.
    """
    others = " or ".join(f"`{need}`" for need in needs)
    shown = "" if isinstance(value, bool) else f" (={value})"
    if not others:
        return ConfigError(f"`{name}`{shown} changes nothing in {where}: leave it out.")
    return ConfigError(f"`{name}`{shown} changes nothing without {others}: add that, or leave it out.")


def check_whole(name: str, value: Any, low: int = 0, high: int | None = None) -> int:
    """Return a whole number in a range; neither `True` nor 2.0 is one.

    ```python
    check_whole("seed", 1.9)  # ConfigError: `seed` (=1.9) must be a whole number, 0 or more.
    ```

    Raises:
        ConfigError: naming the setting, its value and the range.
    """
    try:
        number = low - 1 if "bool" in type(value).__name__ else operator.index(value)
    except TypeError:
        number = low - 1
    if not (low <= number and (high is None or number <= high)):
        rule = f"{low} or more" if high is None else f"{low:,} to {high:,}"
        raise ConfigError(f"`{name}` (={quote(value)}) must be a whole number, {rule}.")
    return number


ABOVE_0, FINITE = math.ulp(0.0), math.nextafter(math.inf, 0.0)
"""The least number above 0, and the largest that is finite."""


@dataclass(frozen=True)
class Range:
    """Numbers that a setting or an argument may have, called with its name and value; whole ones without a `rule`.

    ```python
    Range(0, 1, "lie in 0 to 1")("strength", 2)  # ConfigError: `strength` (=2) must lie in 0 to 1.
    ```

    Raises:
        ConfigError: naming the setting, its value and the rule.
    """

    low: int | float
    high: int | float | None = None
    rule: str = ""

    def __call__(self, name: str, value: Any) -> None:
        high = FINITE if self.high is None else self.high
        if not self.rule:
            check_whole(name, value, int(self.low), None if self.high is None else int(self.high))
        elif not (is_number(value) and self.low <= value <= high):
            raise ConfigError(f"`{name}` (={quote(value)}) must {self.rule}.")

    @property
    def bounds(self) -> dict[str, float]:
        """The ends as keywords of pydantic's `Field`."""
        low: dict[str, float] = {"gt": 0} if self.low == ABOVE_0 else {"ge": self.low}
        return low if self.high is None else {**low, "le": self.high}


def check_name(what: str, name: Any, names: Iterable[str], error: type[PointillistError] = ConfigError) -> None:
    """Reject what is not one of some names: the sentence begins with `what`, and names the nearest.

    ```python
    check_name("There is no example", "tyle", ["tile"])  # There is no example 'tyle': did you mean 'tile'? Choose ...
    ```

    Raises:
        ConfigError: or the class `error`.
    """
    known = tuple(names)
    if not isinstance(name, str) or name not in known:
        raise error(f"{what} {quote(name)}: {choices(name, known)}")


Rule = Callable[[str, Any], object]
"""Values that a setting or an argument may have: called with its name and value, it raises an error for another one."""


def member_of(what: str, names: Iterable[str], error: type[PointillistError] = ConfigError) -> Rule:
    """Make the rule of `check_name`."""
    return lambda name, value: check_name(what, value, names, error)


def optional(rule: Rule) -> Rule:
    """Make a rule that None passes."""
    return lambda name, value: None if value is None else rule(name, value)


def flag(name: str, value: Any) -> None:
    """Raise a `ConfigError` for what is neither True nor False, of numpy too."""
    if type(value).__name__ not in ("bool", "bool_"):
        raise ConfigError(f"`{name}` (={quote(value)}) must be True or False.")


def within(default: Any, rule: Rule) -> Any:
    """Declare a field of a class of `Bounded` settings with its rule; messages and links have its bounds too."""
    return field(default=default, metadata={"rule": rule})


class Bounded:
    """Base of dataclasses whose fields obey the rules that they declare by `within`."""

    def __post_init__(self) -> None:
        kind: Any = type(self)
        for name, rule in _rules_of(kind):
            rule(name, getattr(self, name))


@cache
def _rules_of(kind: Any) -> list[tuple[str, Rule]]:
    return [(item.name, item.metadata["rule"]) for item in fields(kind) if "rule" in item.metadata]


def is_number(value: Any) -> bool:
    """Return True for a real number, of numpy too; an array is a number if it has no axis."""
    axes: int = getattr(value, "ndim", 0)
    if axes or isinstance(value, (str, bool, complex)) or not hasattr(value, "__float__"):
        return False
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True
