"""When a run pauses to validate, save and paint."""

from __future__ import annotations

from dataclasses import dataclass

from pointillist.training.config import TrainConfig


@dataclass(frozen=True)
class Intervals:
    """Every how many steps a run of `total` steps pauses; each pause is also made at its end.

    Attributes:
        validate, save, paint: in steps, at least 1.
    """

    total: int
    validate: int
    save: int
    paint: int

    @classmethod
    def of(cls, config: TrainConfig, total: int) -> Intervals:
        """What was asked for; by default twenty times a run, for saving forty, for sheets five."""

        def every(asked: int, times: int) -> int:
            return asked or max(1, total // times)

        return cls(total, every(config.evaluate_every, 20), every(config.save_every, 40), every(config.sample_every, 5))

    def due(self, every: int, step: int) -> bool:
        """Whether a pause that is made every so many steps comes after this one."""
        return step == self.total or step % every == 0

    def count(self, every: int) -> int:
        """How many such pauses a whole run has."""
        return -(-self.total // every)
