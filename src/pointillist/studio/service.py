"""A studio without its network: models, desk and limits, and what is done with a request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from pointillist.pixel_model import PixelModel
from pointillist.studio import messages as m
from pointillist.studio.desk import Desk, Job, Listen
from pointillist.studio.planning import Plan, plan
from pointillist.studio.refusals import Refused
from pointillist.studio.repainting import compared, planned, recipe_of
from pointillist.studio.shelf import Shelf

LIMITS = m.Limits(
    body_bytes=16 * 2**20, picture_pixels=25_000_000, canvases=m.MAX_CANVASES, pixels=65_536, numbers=64_000_000,
    waiting=8, at_once=2, seconds=300.0,
)  # fmt: skip

_STATUS = {"stopped": 503, "time": 503, "internal": 500}  # of a painting that failed; others are the request's fault

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Room:
    """One studio.

    Args:
        sources: names, folders or hub ids of models, or models.
        limits: what it takes.
    """

    def __init__(self, sources: Sequence[str | PixelModel], limits: m.Limits = LIMITS) -> None:
        self.limits = limits
        self.shelf = Shelf(sources, limits)
        # counted here: a thread that starts while another paints would find the limit of that one
        self.desk = Desk(limits, self._recipe, torch.get_num_threads())

    def plan(self, model: str, request: m.PaintRequest) -> Plan:
        """A painting of a model, checked."""
        return plan(self.shelf[model].model, request, self.limits)

    def paint(self, painting: Plan, listen: Listen) -> Job:
        """Put it in the queue."""
        return self.desk.hand_in(painting, listen)

    def make(
        self, model: str, answer: Callable[[PixelModel, Question, m.Limits], Answer], question: Question
    ) -> Answer:
        """Do what needs no pass of the network, such as reading and writing pictures; several at a time."""
        return answer(self.shelf[model].model, question, self.limits)

    def ask(self, model: str, answer: Callable[[PixelModel, Question, m.Limits], Answer], question: Question) -> Answer:
        """Answer a question about an image by passes of the network, one at a time."""
        entry = self.shelf[model]
        loaded = entry.model
        with entry.asking:
            return answer(loaded, question, self.limits)

    def repaint(self, model: str, recipe: m.Recipe, stopped: Callable[[], bool] = lambda: False) -> m.Repainted:
        """Paint a recipe in its turn, and compare.

        Raises:
            Refused: if the queue is full, or it failed; `stopped` ends it.
        """
        entry = self.shelf[model]
        last = self._wait(planned(entry.model, recipe, self.limits), stopped)
        if isinstance(last, m.Failed):
            raise Refused(_STATUS.get(last.code, 400), last.code, last.error)
        return compared(entry.sha256, recipe, last.images)

    def _wait(self, painting: Plan, stopped: Callable[[], bool]) -> m.Finished | m.Failed:
        ended = threading.Event()
        found: list[m.Finished | m.Failed] = []

        def listen(event: object) -> None:
            if isinstance(event, m.Finished | m.Failed):
                found.append(event)
                ended.set()

        job = self.desk.hand_in(painting, listen)
        while not ended.wait(0.1):
            if stopped():
                self.desk.stop(job.name)
        return found[0]

    def close(self) -> None:
        """End everything."""
        self.desk.close()

    def _recipe(self, painting: Plan, images: list[m.Painted]) -> m.Recipe:
        entry = next(e for e in self.shelf.entries.values() if e.info.state == "ready" and e.model is painting.model)
        return recipe_of(entry.name, entry.sha256, painting, images)
