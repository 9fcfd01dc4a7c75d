"""The training loop: one step after another, each a pure function of the seed, its number and the weights before it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from rich.console import Console

from pointillist.data import ImageDataset
from pointillist.distributions.likelihoods import bits_per_dim
from pointillist.errors import ConfigError, TrainingError
from pointillist.evaluation.likelihood import evaluate
from pointillist.model.pixel_model import PixelModel
from pointillist.training.batches import BatchPrefetcher
from pointillist.training.config import TrainConfig
from pointillist.training.epoch_sampler import order_of_step
from pointillist.training.interrupt import Interrupted, StopRequest
from pointillist.training.intervals import Intervals
from pointillist.training.logging import DivergenceGuard, MetricsLogger
from pointillist.training.loop_state import TrainerState
from pointillist.training.optim import ExponentialMovingAverage, build_optimiser
from pointillist.training.schedule import learning_rate
from pointillist.training.start import initialise
from pointillist.training.state import fingerprint, load_state, restore_optimiser, save_state


class Trainer:
    """One run. Use `pointillist.train`; this class is its parts."""

    def __init__(
        self,
        model: PixelModel,
        train: ImageDataset,
        valid: ImageDataset | None,
        config: TrainConfig,
        accelerator: Accelerator,
        *,
        console: Console | None,
        save_model: Callable[[Path, TrainerState], None],
        paint: Callable[[Path, int], None] | None,
    ) -> None:
        if config.precision == "auto":
            raise ConfigError("`precision` must be resolved to fp32 or bf16 before the run starts.")
        self.config, self.accelerator, self.console = config, accelerator, console
        self.train_data, self.valid_data = train, valid
        self.save_model, self.paint = save_model, paint
        if not isinstance(config.batch_size, int):
            raise ConfigError("`batch_size` must be resolved to a number before the run starts.")
        self.batch_size: int = config.batch_size
        parts = accelerator.num_processes * config.accumulate
        if self.batch_size % parts:
            raise ConfigError(
                f"`batch_size` (={self.batch_size}) must be a multiple of processes x `accumulate` (={parts}): "
                f"try {parts * max(1, self.batch_size // parts)}."
            )
        self.total = config.total_steps(len(train), self.batch_size)
        self.pauses = Intervals.of(config, self.total)
        self.model = model.to(accelerator.device).to(memory_format=torch.channels_last)
        processes = {"process": accelerator.process_index, "processes": accelerator.num_processes}
        self.reader = BatchPrefetcher(model, train, config, self.batch_size, **processes)
        self.average = ExponentialMovingAverage(model, config.ema)
        optimiser = build_optimiser(model, config)
        self.names = {id(p): name for name, p in model.named_parameters()}
        self.optimiser = optimiser
        compiled: Any = _compiled(model) if config.compile else model
        self.network: Any
        self.prepared: Any
        self.network, self.prepared = accelerator.prepare(compiled, optimiser)
        self.guard = DivergenceGuard(model.image.levels)
        self.progress = TrainerState()
        self.last_good = "none yet"
        self.stop = StopRequest()
        self._fingerprint = fingerprint(train)

    # -- the loop

    def run(self) -> TrainerState:
        """Train to the last step.

        Raises:
            Interrupted: after Ctrl-C or SIGTERM, once the state is saved.
            TrainingError: if the loss is not finite or diverges.
        """
        with ExitStack() as stack:
            stack.enter_context(self.stop.listening())
            journal = stack.enter_context(self._journal())
            self.begin()
            started, images = time.perf_counter(), 0
            while self.progress.step < self.total:
                bits, indices = self.step()
                images += self.batch_size
                step = self.progress.step
                self.guard.check(bits, step, indices, self.last_good)
                speed = images / (time.perf_counter() - started)
                journal.advance(step, bits, speed)
                if step % max(1, self.total // 200) == 0 or step == self.total:
                    rate = learning_rate(step - 1, self.total, self.config)
                    journal.write(
                        step=step, images=step * self.batch_size, bits_per_dim=bits, lr=rate, speed=round(speed, 1)
                    )
                pause = time.perf_counter()
                self._pauses(journal)
                started += time.perf_counter() - pause
        return self.progress

    def begin(self) -> None:
        """Before the first step: weights that want the first images get them."""
        if self.progress.step == 0:
            initialise(self.model, self.train_data, self.reader.telling, self.reader.order, self.average)
        self.model.train()

    def _pauses(self, journal: MetricsLogger) -> None:
        """Validation, checkpoints and sheets, where they are due; and a stop, where it was asked for."""
        pauses, step, out = self.pauses, self.progress.step, self.config.out
        stopping = self._stop_everywhere()
        if self.valid_data is not None and pauses.due(pauses.validate, step):
            self._validate(journal)
        if stopping or pauses.due(pauses.save, step):
            self._save()
        if self.paint is not None and out is not None and pauses.due(pauses.paint, step):
            if self.accelerator.is_main_process:
                with self.average.applied():
                    self.paint(out / "samples", step)
            self.accelerator.wait_for_everyone()
        if stopping and step < self.total:
            raise Interrupted

    def step(self) -> tuple[float, list[int]]:
        """One optimiser step; its loss in bits/dim over all processes, and the images of this process."""
        config, accelerator = self.config, self.accelerator
        step = self.progress.step
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(step, self.total, config)
        # dropout draws depend on the step alone, so a resumed run repeats them
        entropy = np.random.SeedSequence([config.seed, step, accelerator.process_index])
        torch.manual_seed(int(entropy.generate_state(1)[0]))
        self.prepared.zero_grad()
        loss_sum = torch.zeros((), device=accelerator.device)
        seen: list[int] = []
        for part in range(config.accumulate):
            images = self.reader.read(step, part).to(accelerator.device)
            seen += images.indices
            last = part == config.accumulate - 1
            with nullcontext() if last else accelerator.no_sync(self.network):
                with torch.autocast(accelerator.device.type, torch.bfloat16, enabled=config.precision == "bf16"):
                    order = order_of_step(self.model.config.orders, config.seed, step)
                    nats = -self.network(images.levels, images.told, order)
                loss = bits_per_dim(nats.mean(), self.model.image.dims) / config.accumulate
                accelerator.backward(loss)
            loss_sum += loss.detach()
        bits = float(accelerator.reduce(loss_sum, "mean"))
        if math.isfinite(bits):
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip or math.inf)
            self.prepared.step()
            self.average.update(step)
        self.progress.step += 1
        return bits, seen

    # -- pauses

    def _validate(self, journal: MetricsLogger) -> None:
        """Bits/dim of the averaged weights on validation images, shared out over the processes."""
        accelerator, mine = self.accelerator, self.validation_images()
        with self.average.applied():
            nats = evaluate(self.model, mine).nats_per_image if len(mine) else np.zeros(0)
        sums = torch.tensor([nats.sum(), len(nats)], dtype=torch.float64, device=accelerator.device)
        total, images = accelerator.reduce(sums, "sum").tolist()
        bits = bits_per_dim(total / images, self.model.image.dims)
        progress = self.progress
        progress.last = bits
        improved = bits < progress.best
        if improved:
            progress.best, progress.best_step = bits, progress.step
            self._publish("")
        if accelerator.is_main_process:
            journal.write(
                step=progress.step,
                images=progress.step * self.batch_size,
                valid_bits_per_dim=bits,
                valid_nats=total / images,
                valid_images=int(images),
            )
            mark = "  best" if improved else ""
            journal.say(f"step {progress.step:>7,}  valid {bits:.4f} bits/dim ({total / images:.3f} nats){mark}")
        self.model.train()

    def validation_images(self) -> ImageDataset:
        """This process's share of the images of every validation."""
        assert self.valid_data is not None
        count = min(self.config.valid_images or len(self.valid_data), len(self.valid_data))
        # always the same images, and a fair choice: files are often sorted by class
        chosen = np.random.default_rng(0).permutation(len(self.valid_data))[:count]
        return self.valid_data.subset(np.sort(chosen)[self.accelerator.process_index :: self.accelerator.num_processes])

    def _publish(self, name: str) -> None:
        """Write the averaged weights as a model folder: the run's own folder is the best, `last/` the newest."""
        if self.config.out is not None and self.accelerator.is_main_process:
            with self.average.applied():
                self.save_model(self.config.out / name, replace(self.progress))

    def _save(self) -> None:
        out = self.config.out
        if out is None:
            return
        if self.accelerator.is_main_process:
            weights = {name: p.detach() for name, p in self.model.named_parameters()}
            record = {**vars(self.progress), "data": self._fingerprint, "batch_size": self.batch_size}
            path = save_state(
                out / "state", self.progress.step, weights, self.average.average, self.optimiser, self.names, record
            )
            self.last_good = str(path)
            self._publish("last")
            if self.valid_data is None:
                self._publish("")
        self.accelerator.wait_for_everyone()

    def resume(self) -> None:
        """Go on from the newest state of this run's folder.

        Raises:
            TrainingError: if there is none, or the images are not those it was trained on.
        """
        assert self.config.out is not None
        tensors, record = load_state(self.config.out / "state")
        if record["data"] != self._fingerprint:
            raise TrainingError(
                f"{self.config.out} was trained on other images than {self.train_data.name}: "
                "resume with the same data and options, or start another run with `--init`."
            )
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(tensors["weights"][name])
                self.average.average[name].copy_(tensors["average"][name])
        restore_optimiser(self.optimiser, self.names, tensors)
        self.progress = TrainerState(**{k: record[k] for k in ("step", "best", "best_step", "last")})
        self.last_good = str(self.config.out / "state")

    # -- plumbing

    def release(self) -> None:
        """Let go of the wrapped network: it must be gone before the process group it talks through."""
        self.reader.close()
        self.network = self.prepared = None
        self.accelerator.free_memory()

    def _journal(self) -> MetricsLogger:
        main = self.accelerator.is_main_process
        console = self.console if main else None
        out = self.config.out if main else None
        return MetricsLogger(out, self.total, self.progress.step, console, self.config.tensorboard and main)

    def _stop_everywhere(self) -> bool:
        """Whether any process was asked to stop: all must leave at the same step."""
        if self.accelerator.num_processes == 1:
            return self.stop.asked
        flag = torch.tensor(float(self.stop.asked), device=self.accelerator.device)
        return float(self.accelerator.reduce(flag, "sum")) > 0


def _compiled(model: PixelModel) -> Any:
    """The model, compiled once for each of its orders when it is first needed; torch would give up at the ninth."""
    settings: Any = torch._dynamo.config
    limit = "recompile_limit" if hasattr(settings, "recompile_limit") else "cache_size_limit"  # before torch 2.6
    setattr(settings, limit, max(getattr(settings, limit), len(model.config.orders) + 1))
    return torch.compile(model)
