"""The models of a studio: loaded one after the other in the background, ready once they have been warmed up."""

from __future__ import annotations

import contextlib
import copy
import itertools
import logging
import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pointillist.analysis.query import ImageQuery, with_weights
from pointillist.analysis.surprisal import surprisal_maps
from pointillist.conditioning import TextConfig
from pointillist.errors import PointillistError
from pointillist.model.folder.opening import load
from pointillist.model.portable import ProgramModel
from pointillist.model.protocols import LikelihoodModel
from pointillist.studio import schemas
from pointillist.studio.answers.model_details import model_details
from pointillist.studio.answers.queries import field_reach
from pointillist.studio.errors import RequestError
from pointillist.studio.jobs import LoadedModel, make_job
from pointillist.studio.sampling import run_job

LOG = logging.getLogger("pointillist.studio")
_RETRY_AFTER = 1  # seconds
_MOST_FIELDS = 4096  # receptive fields that are kept for a model


class PooledModel:
    """A model of the pool.

    Attributes:
        id: identifier in paths.
        name: name to display.
        source: name, folder or `hf:user/model` of the model; None for a model that was passed itself.
        info: loading state.
        query_lock: held during a query: gradients change flags of the weights for a moment.
        field_lock: held while a receptive field is measured: a page asks for the pixel under the pointer again and
            again.
    """

    def __init__(self, id_: str, name: str, source: str | LikelihoodModel) -> None:
        self.id: str = id_
        self.name: str = name
        self._source = source
        self.source: str | None = source if isinstance(source, str) else None
        self.query_lock: threading.Lock = threading.Lock()
        self.field_lock: threading.Lock = threading.Lock()
        self.info: schemas.ModelInfo = schemas.ModelInfo(
            id=id_, name=name, state="waiting", step=None, error=None, details=None
        )
        self._loaded: LoadedModel | None = None
        self._weights_read, self._settled = threading.Event(), threading.Event()

    @property
    def loaded(self) -> LoadedModel:
        """The model and its identity.

        Raises:
            RequestError: if it is not ready.
        """
        if self.info.state == "failed":
            raise RequestError(503, "failed", self.info.error or "The model could not be loaded.")
        if self._loaded is None:
            sentence = f"{self.name} is still loading: try again in a moment."
            raise RequestError(503, "loading", sentence, retry_after=_RETRY_AFTER)
        return self._loaded

    def field(self, query: schemas.FieldQuery) -> schemas.FieldReach:
        """Measure the receptive field of a pixel, or return the one that was measured before.

        Raises:
            ConfigError, ShapeError: if the image has no such pixel, or the model takes no such image.
        """
        loaded = self.loaded
        with self.field_lock:
            if query not in loaded.fields:
                if len(loaded.fields) >= _MOST_FIELDS:
                    loaded.fields.clear()
                with self.query_lock:  # so that the hooks of another query are not copied with the model
                    probe = copy.deepcopy(with_weights(loaded.model))
                loaded.fields[query] = field_reach(probe, query)
            return loaded.fields[query]

    @property
    def model(self) -> LikelihoodModel:
        """The model itself; see `loaded`."""
        return self.loaded.model

    @property
    def sha256(self) -> str:
        """Hash of the model; see `loaded`."""
        return self.loaded.identity.sha256

    @property
    def step(self) -> int | None:
        """Training step of the model; None if it is not ready, or does not say."""
        return None if self._loaded is None else self._loaded.model.training_record.step

    def load(self, limits: schemas.Limits) -> None:
        """Load and warm up the model; an error is stored as a sentence.

        A second call loads it again, from the same source. The former model stays until then, and also if the new one
        cannot be loaded.
        """
        try:
            self._load(limits)
        except PointillistError as error:
            self._show("failed", error=str(error))
        except Exception as error:
            LOG.error("%s could not be loaded", self.name, exc_info=error)
            self._show("failed", error=f"It could not be loaded ({type(error).__name__}): the terminal says more.")
        finally:
            self._weights_read.set()
            self._settled.set()

    def wait_for_weights(self) -> bool:
        """Wait until the weights are read or loading failed; return true if they were read."""
        self._weights_read.wait()
        return self.info.state != "failed"

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the model is ready or failed, at most `timeout` seconds."""
        self._settled.wait(timeout)

    def _load(self, limits: schemas.Limits) -> None:
        self._show("loading", "reading weights")
        # a copy: later changes to the model of a notebook do not reach the studio
        model: Any = load(self._source) if isinstance(self._source, str) else copy.deepcopy(self._source)
        if not isinstance(model, ProgramModel):
            model.eval().requires_grad_(False)
        details = model_details(model)
        self._show("loading", "preparing the engine")
        self._weights_read.set()
        loaded = LoadedModel(model, schemas.ManifestModel(name=self.name[:500], sha256=details.sha256))
        _warm_up(loaded, limits)
        self._loaded = loaded
        self.info = self.info.model_copy(update={"state": "ready", "step": None, "details": details})

    def _show(self, state: schemas.State, step: str | None = None, error: str | None = None) -> None:
        """Report the progress of loading, unless another model is ready."""
        if self._loaded is None:
            self.info = self.info.model_copy(update={"state": state, "step": step, "error": error})


class _WarmupDone(Exception):  # noqa: N818
    """Raised to end the warm-up run."""


def _warm_up(loaded: LoadedModel, limits: schemas.Limits) -> None:
    """Do once what the first user would wait for: compiled code, the text encoder, torch's own preparations."""
    model = loaded.model
    text = '"a"' if model.condition(TextConfig) is not None else None  # quoted: no word has to be known
    spec = schemas.SampleSpec(seed=0, conditions=schemas.ConditionValues(text=text))
    request = schemas.SampleRequest(samples=[spec])

    def end() -> None:
        raise _WarmupDone

    with contextlib.suppress(_WarmupDone):
        run_job(make_job(loaded, request, limits), lambda event: None, end)
    zeros = np.zeros((1, *model.image.shape), np.int64)
    surprisal_maps(ImageQuery(model, zeros, model.conditions.inputs(None, 1), model.order()))


class ModelPool:
    """The models, in the order in which they were named.

    Args:
        sources: names, folders or `hf:user/model`; or models.
        limits: limits for the warm-up run.
    """

    def __init__(self, sources: Sequence[str | LikelihoodModel], limits: schemas.Limits) -> None:
        self._limits = limits
        self.entries: dict[str, PooledModel] = {}
        for source in sources:
            self.add(source)
        self._loading = list(self.entries.values())
        self._thread = threading.Thread(target=self._load, name="loading models", daemon=True)

    def start(self) -> None:
        """Begin to load."""
        self._thread.start()

    def add(self, source: str | LikelihoodModel, name: str | None = None) -> PooledModel:
        """Add a model; one that is added later is loaded by the caller, once its source is there."""
        name = display_name(source) if name is None else name
        base = id_ = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.") or "model"
        for number in itertools.count(2):
            if id_ not in self.entries:
                break
            id_ = f"{base}-{number}"
        self.entries[id_] = PooledModel(id_, name, source)
        return self.entries[id_]

    def wait(self, timeout: float | None = None) -> None:
        """Wait until all models are ready or failed, at most `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        for entry in self.entries.values():
            entry.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))

    def __getitem__(self, id_: str) -> PooledModel:
        """Look up a model by its id.

        Raises:
            RequestError: if there is none.
        """
        if id_ not in self.entries:
            raise RequestError(404, "not_found", f"There is no model {id_[:100]!r} here: /api/info lists the models.")
        return self.entries[id_]

    @property
    def failed(self) -> bool:
        return all(info.state == "failed" for info in self.infos())

    def infos(self) -> list[schemas.ModelInfo]:
        """Loading state of each model."""
        return [entry.info for entry in self.entries.values()]

    def _load(self) -> None:
        for entry in self._loading:
            entry.load(self._limits)


def display_name(source: str | LikelihoodModel) -> str:
    """Name a model for people: its folder's name, or its network."""
    if not isinstance(source, str):
        return source.model_type
    path = Path(source)
    return (path.resolve().name if path.exists() else source) or source
