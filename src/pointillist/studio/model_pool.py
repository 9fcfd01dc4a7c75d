"""The models of a studio: loaded one after the other in the background, ready when they have drawn first pixels."""

from __future__ import annotations

import contextlib
import copy
import logging
import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from pointillist.errors import PointillistError
from pointillist.explaining.asking import Asked
from pointillist.explaining.maps import maps_of
from pointillist.factory import load
from pointillist.pixel_model import PixelModel
from pointillist.studio import messages as m
from pointillist.studio.describing import details_of
from pointillist.studio.painting import paint
from pointillist.studio.planning import plan
from pointillist.studio.refusals import Refused

LOG = logging.getLogger("pointillist.studio")
_RETRY = 1


class Entry:
    """One model.

    Attributes:
        asking: held while it answers a question: gradients switch flags of the weights for a moment.
    """

    def __init__(self, id_: str, name: str, source: str | PixelModel) -> None:
        self.id, self.name, self._source = id_, name, source
        self.asking = threading.Lock()
        self._info = m.ModelInfo(id=id_, name=name, state="waiting", step=None, error=None, details=None)
        self._model: PixelModel | None = None
        self._read, self._over = threading.Event(), threading.Event()

    @property
    def info(self) -> m.ModelInfo:
        """How far it is."""
        return self._info

    @property
    def model(self) -> PixelModel:
        """The model.

        Raises:
            Refused: if it is not ready.
        """
        if self._info.state == "failed":
            raise Refused(503, "failed", self._info.error or "The model could not be loaded.")
        if self._model is None:
            raise Refused(503, "loading", f"{self.name} is still loading: try again in a moment.", retry=_RETRY)
        return self._model

    @property
    def sha256(self) -> str:
        """Its hash, once it is ready."""
        assert self._info.details is not None
        return self._info.details.sha256

    def load(self, limits: m.Limits) -> None:
        """Make it ready; a fault is kept as a sentence."""
        try:
            self._load(limits)
        except PointillistError as error:
            self._say("failed", error=str(error))
        except Exception as error:
            LOG.error("%s could not be loaded", self.name, exc_info=error)
            self._say("failed", error=f"It could not be loaded ({type(error).__name__}): the terminal says more.")
        finally:
            self._read.set()
            self._over.set()

    def is_there(self) -> bool:
        """Whether its weights could be read, as soon as that is known."""
        self._read.wait()
        return self._info.state != "failed"

    def wait(self, seconds: float | None = None) -> None:
        """Until it is ready or failed."""
        self._over.wait(seconds)

    def _load(self, limits: m.Limits) -> None:
        self._say("loading", step="reading weights")
        # a copy: what happens to the model of a notebook later does not reach the studio
        model = load(self._source) if isinstance(self._source, str) else copy.deepcopy(self._source)
        model.eval().requires_grad_(False)
        details = details_of(model)
        self._say("loading", step="preparing the engine")
        self._read.set()
        _warm(model, limits)
        self._model = model
        self._info = self._info.model_copy(update={"state": "ready", "step": None, "details": details})

    def _say(self, state: m.State, step: str | None = None, error: str | None = None) -> None:
        self._info = self._info.model_copy(update={"state": state, "step": step, "error": error})


class _Warm(Exception):  # noqa: N818
    """It has drawn enough."""


def _warm(model: PixelModel, limits: m.Limits) -> None:
    """Do once what the first user would wait for: compiled code, the text encoder, torch's own preparations."""
    text = "a" if model.config.text is not None else None
    request = m.PaintRequest(canvases=[m.Canvas(seed=0, told=m.Told(text=text))])

    def enough() -> None:
        raise _Warm

    with contextlib.suppress(_Warm):
        paint(plan(model, request, limits), lambda event: None, enough)
    image = model.image
    zeros = torch.zeros(1, *image.shape, dtype=torch.int64)
    maps_of(Asked(model, zeros, model.told(None, 1), model.order()))


class Shelf:
    """The models, in the order in which they were named.

    Args:
        sources: names, folders or hub ids; or models.
    """

    def __init__(self, sources: Sequence[str | PixelModel], limits: m.Limits) -> None:
        self._limits = limits
        self.entries: dict[str, Entry] = {}
        for source in sources:
            name = short_name(source)
            id_ = _free(re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.") or "model", self.entries)
            self.entries[id_] = Entry(id_, name, source)
        self._thread = threading.Thread(target=self._load, name="loading models", daemon=True)

    def start(self) -> None:
        """Begin to load."""
        self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Until all are ready or failed."""
        until = None if seconds is None else time.monotonic() + seconds
        for entry in self.entries.values():
            entry.wait(None if until is None else max(0.0, until - time.monotonic()))

    def __getitem__(self, id_: str) -> Entry:
        """A model by its id.

        Raises:
            Refused: if there is none.
        """
        if id_ not in self.entries:
            raise Refused(404, "missing", f"There is no model {id_[:100]!r} here: ask /api/hello which there are.")
        return self.entries[id_]

    @property
    def failed(self) -> bool:
        """Whether all have failed."""
        return all(info.state == "failed" for info in self.infos())

    def infos(self) -> list[m.ModelInfo]:
        """How far each is."""
        return [entry.info for entry in self.entries.values()]

    def _load(self) -> None:
        for entry in self.entries.values():
            entry.load(self._limits)


def short_name(source: str | PixelModel) -> str:
    """What people call a model."""
    if isinstance(source, PixelModel):
        return source.config.model_type
    path = Path(source)
    return (path.resolve().name if path.exists() else source) or source


def _free(wanted: str, taken: dict[str, Entry]) -> str:
    number = 2
    found = wanted
    while found in taken:
        found, number = f"{wanted}-{number}", number + 1
    return found
