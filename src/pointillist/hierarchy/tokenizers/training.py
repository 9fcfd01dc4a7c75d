"""Train a tokenizer: a small loop whose step is a pure function of the seed, its number and the state before it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import torch
from rich.console import Console

from pointillist.data import ImageDataset
from pointillist.errors import ConfigError, TrainingError
from pointillist.hierarchy.tokenizers.tokenizer import Tokenizer
from pointillist.model.folder.image_sources import chosen_rows
from pointillist.model.memory import STATES, measured_use
from pointillist.system import MemoryUse, available_cores, resolve_device
from pointillist.training.batches import EpochSampler
from pointillist.training.config import TrainConfig
from pointillist.training.logging import MetricsLogger
from pointillist.training.setup import ExponentialMovingAverage, build_optimizer, learning_rate, resolve_precision
from pointillist.training.state import (
    Interrupted,
    Intervals,
    StopRequest,
    TrainerState,
    load_state,
    save_state,
)

BATCH_SIZE = 16
"""Images of a step, where `batch_size` is auto."""
SIDES = 4, 6
"""Sides of two small grids of codes, from which the memory of a step is estimated."""


class TokenizerTrainer:
    """The loop of one run.

    Args:
        tokenizer: trained in place.
        train, valid: grids of the integers that it encodes.
        config: settings of the training; the batch has one process, and no augmentation.
        console: where progress is shown; None is silent.

    Attributes:
        progress: steps done, and the validation losses.
        total: steps of the run.
    """

    train_data: ImageDataset
    valid_data: ImageDataset | None
    config: TrainConfig
    console: Console | None

    def __init__(
        self,
        tokenizer: Tokenizer,
        train: ImageDataset,
        valid: ImageDataset | None,
        config: TrainConfig,
        console: Console | None,
    ) -> None:
        if config.machine.threads:
            torch.set_num_threads(min(config.machine.threads, available_cores()))
        self.device: torch.device = resolve_device(config.machine.device)
        self.bf16: bool = resolve_precision(config.machine.precision, self.device)[0] == "bf16"
        self.tokenizer: Tokenizer = tokenizer.to(self.device)
        self.train_data, self.valid_data, self.config, self.console = train, valid, config, console
        self.batch_size: int = config.batch_size if isinstance(config.batch_size, int) else BATCH_SIZE
        self.total: int = config.total_steps(len(train), self.batch_size)
        self.intervals: Intervals = Intervals.from_config(config.intervals, self.total)
        self.sampler: EpochSampler = EpochSampler(len(train), config.seed)
        self.average: ExponentialMovingAverage = ExponentialMovingAverage(tokenizer, config.optimizer.ema)
        self.optimizer: torch.optim.Optimizer = build_optimizer(tokenizer, config.optimizer)
        self.names: dict[int, str] = {id(p): name for name, p in tokenizer.named_parameters()}
        self.progress: TrainerState = TrainerState()
        self.stop: StopRequest = StopRequest()
        self._fingerprint = train.fingerprint

    def run(self) -> TrainerState:
        """Train to the last step, and give the tokenizer the averaged weights that are best on validation images.

        Raises:
            Interrupted: after Ctrl-C or SIGTERM, once the state is saved.
            TrainingError: if the loss is not finite.
        """
        self.check_memory()
        out = self.config.out
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(self.stop.handle_signals())
            logger = stack.enter_context(
                MetricsLogger(out, self.total, self.progress.step, self.console, self.config.machine.tensorboard)
            )
            started, first = time.perf_counter(), self.progress.step
            while self.progress.step < self.total:
                loss = self.step()
                step = self.progress.step
                speed = (step - first) * self.batch_size / (time.perf_counter() - started)
                logger.update(step, f"loss {loss:.5f}  {speed:.0f} images/s")
                if step % max(1, self.total // 200) == 0 or step == self.total:
                    logger.log(step=step, images=step * self.batch_size, loss=loss, speed=round(speed, 1))
                self._act(logger)
        self.average.copy_to_model()
        if out is not None:
            self.tokenizer.load_state_dict(Tokenizer.load(out).state_dict())
        self.tokenizer.to(self.device).eval()
        return self.progress

    def check_memory(self) -> None:
        """Check that a step fits in the free memory.

        Raises:
            ConfigError: naming the estimate, the free memory, and what would fit.
        """
        spec, device = self.train_data.spec, self.tokenizer.device
        size = (self.batch_size, spec.height, spec.width)
        use = tokenizer_memory(self.tokenizer)
        use.check("A training step of this tokenizer on", size, device=device, error=ConfigError)

    def step(self) -> float:
        """Take one optimiser step; return its loss."""
        step = self.progress.step
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, self.total, self.config)
        self.tokenizer.train()
        self.optimizer.zero_grad()
        index = np.concatenate([part for _, part in self.sampler.read(step * self.batch_size, self.batch_size)])
        levels = torch.from_numpy(self.train_data.batch(index).levels).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            loss = self.tokenizer(levels)
        loss.backward()
        result = float(loss.detach())
        if not math.isfinite(result):
            raise TrainingError(f"The loss of the tokenizer became {result} at step {step:,}: lower `optimizer.lr`.")
        torch.nn.utils.clip_grad_norm_(self.tokenizer.parameters(), self.config.optimizer.clip or math.inf)
        self.optimizer.step()
        self.average.update(step)
        self.progress.step += 1
        return result

    def resume(self) -> tuple[str, ...]:
        """Load the newest complete checkpoint of the run's folder, and say why newer ones were passed over.

        Raises:
            TrainingError: if there is none, or the run was trained on other images.
        """
        out = self.config.out
        if out is None:
            raise ConfigError("`resume` needs `out`, the folder of the run to continue.")
        state = load_state(out / "state")
        if state.record["data"] != self._fingerprint:
            raise TrainingError(f"{out} was trained on other images than {self.train_data.name}: start another run.")
        state.restore(out, self.tokenizer, self.average.average, self.optimizer, self.names)
        self.progress = state.progress
        return state.damaged

    def evaluate(self) -> float:
        """Mean loss of the averaged weights on the validation images; infinite without such images."""
        data = self.valid_data
        if data is None or not len(data):
            return math.inf
        rows = chosen_rows(len(data), self.config.intervals.valid_images or len(data))
        total = 0.0
        with self.average.applied(), torch.no_grad():
            self.tokenizer.eval()
            for start in range(0, len(rows), self.batch_size):
                index = rows[start : start + self.batch_size]
                total += float(self.tokenizer(torch.from_numpy(data.batch(index).levels).to(self.device))) * len(index)
        return total / len(rows)

    def _act(self, logger: MetricsLogger) -> None:
        """Evaluate and save where that is due, and stop if that was requested."""
        intervals, step = self.intervals, self.progress.step
        if self.valid_data is not None and intervals.due(intervals.evaluate, step):
            loss = self.progress.last = self.evaluate()
            improved = loss < self.progress.best
            if improved:
                self.progress.best, self.progress.best_step = loss, step
                self._export("")
            logger.log(step=step, images=step * self.batch_size, valid_loss=loss)
            logger.print(f"step {step:>7,}  valid loss {loss:.5f}{'  best' if improved else ''}")
        if self.stop.requested or intervals.due(intervals.save, step):
            self._save()
        if self.stop.requested and step < self.total:
            raise Interrupted(self.config.out)

    def _save(self) -> None:
        out = self.config.out
        if out is None:
            return
        record = {**vars(self.progress), "data": self._fingerprint, "batch_size": self.batch_size}
        save_state(out / "state", self.tokenizer, self.average.average, self.optimizer, self.names, record)
        if self.valid_data is None:
            self._export("")

    def _export(self, name: str) -> None:
        """Write the averaged weights as a tokenizer folder."""
        if self.config.out is not None:
            with self.average.applied():
                self.tokenizer.save(self.config.out / name)


def tokenizer_memory(tokenizer: Tokenizer) -> MemoryUse:
    """Estimate the memory of a training step in fp32; it grows linearly with the number of pixels.

    ```python
    tokenizer_memory(tokenizer).bytes(16, 64, 64)
    ```
    """
    config, small = tokenizer.config, Tokenizer(tokenizer.config)

    def prepare(side: int) -> Callable[[], None]:
        x = torch.zeros(1, config.image.channels, side, side, dtype=torch.int64)
        return lambda: small(x).backward()

    first, second = (side * config.downsample for side in SIDES)
    return measured_use(prepare, (first, second), 4 * STATES * tokenizer.num_parameters())
