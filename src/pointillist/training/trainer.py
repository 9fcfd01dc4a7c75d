"""The training loop. Each step is a pure function of the seed, its number and the weights before it."""

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

from pointillist.analysis.evaluation.likelihood import evaluate
from pointillist.data import ImageDataset
from pointillist.distributions.likelihoods import bits_per_dim
from pointillist.errors import ConfigError, TrainingError
from pointillist.model.pixel_model import PixelModel
from pointillist.training.batches import BatchPrefetcher, order_of_step
from pointillist.training.config import TrainConfig
from pointillist.training.integers import SampleWriter, write_by_program
from pointillist.training.logging import DivergenceGuard, MetricsLogger
from pointillist.training.setup import (
    ExponentialMovingAverage,
    build_optimizer,
    initialise_from_data,
    keep_memory,
    learning_rate,
)
from pointillist.training.state import Interrupted, Intervals, StopRequest, TrainerState, load_state, save_state
from pointillist.training.threads import ThreadChoice, thread_numbers


class Trainer:
    """The loop of one run. Call `pointillist.train`, which sets it up.

    Args:
        config: settings with the precision resolved (`setup.prepare`).
        console: where progress is shown; None is silent.
        save_model: function that writes the model to a folder.
        write_samples: function that writes a sample sheet to a folder at a step; None writes none.
    """

    config: TrainConfig
    accelerator: Accelerator
    console: Console | None
    train_data: ImageDataset
    valid_data: ImageDataset | None
    save_model: Callable[[Path, TrainerState], None]
    write_samples: SampleWriter | None

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
        write_samples: SampleWriter | None,
    ) -> None:
        self.config, self.accelerator, self.console = config, accelerator, console
        self.train_data, self.valid_data = train, valid
        self.save_model, self.write_samples = save_model, write_samples
        _check_parts(config, accelerator.num_processes)
        self.total: int = config.total_steps(len(train))
        self.intervals: Intervals = Intervals.from_config(config.intervals, self.total)
        self.model: PixelModel = model.to(accelerator.device).to(memory_format=torch.channels_last)
        processes = {"process": accelerator.process_index, "processes": accelerator.num_processes}
        self.batches: BatchPrefetcher = BatchPrefetcher(model, train, config, **processes)
        self.average: ExponentialMovingAverage = ExponentialMovingAverage(model, config.optimizer.ema)
        optimizer = build_optimizer(model, config.optimizer)
        self.names: dict[int, str] = {id(p): name for name, p in model.named_parameters()}
        self.optimizer = optimizer
        hardware = config.machine
        compiled: Any = _compiled(model) if hardware.compile else model
        self.threads: list[int] = thread_numbers(hardware.threads > 0 or hardware.compile, accelerator)
        self.network: Any
        self.prepared_optimizer: Any
        self.network, self.prepared_optimizer = accelerator.prepare(compiled, optimizer)
        self.divergence: DivergenceGuard = DivergenceGuard(model.image.levels)
        self.progress: TrainerState = TrainerState()
        self.last_checkpoint: str = "none yet"
        self.stop: StopRequest = StopRequest()
        self._fingerprint = train.fingerprint

    # -- the loop

    def run(self) -> TrainerState:
        """Train to the last step.

        Raises:
            Interrupted: after Ctrl-C or SIGTERM, once the state is saved.
            TrainingError: if the loss is not finite or diverges.
        """
        with ExitStack() as stack:
            stack.enter_context(self.stop.handle_signals())
            logger = stack.enter_context(self._logger())
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            stack.callback(keep_memory, False)
            keep_memory(True)
            threads = ThreadChoice(self.threads, self.progress.threads)
            self.begin()
            started, images = time.perf_counter(), 0
            while self.progress.step < self.total:
                torch.set_num_threads(threads.threads)
                began = time.perf_counter()
                bits, indices = self.step()
                logger.print(threads.record(time.perf_counter() - began))
                self.progress.threads = threads.chosen
                images += self.config.batch_size
                step = self.progress.step
                self.divergence.check(bits, step, indices, self.last_checkpoint)
                speed = images / (time.perf_counter() - started)
                logger.update(step, f"{step:,}/{self.total:,}  {bits:.4f} bits/dim  {speed:.0f} images/s")
                if step % max(1, self.total // 200) == 0 or step == self.total:
                    lr = learning_rate(step - 1, self.total, self.config)
                    logger.log(
                        step=step, images=step * self.config.batch_size, bits_per_dim=bits, lr=lr, speed=round(speed, 1)
                    )
                paused = time.perf_counter()
                self._run_due_actions(logger)
                started += time.perf_counter() - paused  # the speed counts steps alone
        return self.progress

    def begin(self) -> None:
        """Prepare the first step: data-dependent initialisation, and training mode."""
        if self.progress.step == 0:
            initialise_from_data(self.model, self.train_data, self.batches, self.average)
        self.model.train()

    def step(self) -> tuple[float, list[int]]:
        """Take one optimiser step.

        Returns:
            The loss in bits/dim over all processes, and the indices of the images of this process.
        """
        config, accelerator = self.config, self.accelerator
        step = self.progress.step
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, self.total, config)
        # dropout draws depend on the step alone, so a resumed run repeats them
        entropy = np.random.SeedSequence([config.seed, step, accelerator.process_index])
        torch.manual_seed(int(entropy.generate_state(1)[0]))
        self.prepared_optimizer.zero_grad()
        loss_sum = torch.zeros((), device=accelerator.device)
        indices: list[int] = []
        for micro_step in range(config.grad_accumulation):
            batch = self.batches.read(step, micro_step).to(accelerator.device)
            indices += batch.indices
            last = micro_step == config.grad_accumulation - 1
            with nullcontext() if last else accelerator.no_sync(self.network):
                bf16 = config.machine.precision == "bf16"
                with torch.autocast(accelerator.device.type, torch.bfloat16, enabled=bf16):
                    order = order_of_step(self.model.config.orders, config.seed, step)
                    nats = -self.network(batch.levels, batch.inputs, order, True)
                loss = bits_per_dim(nats.mean(-1), self.model.image.dims) / config.grad_accumulation
                loss, *further = loss.view(-1)
                accelerator.backward(loss + sum(config.completion.marginals * part for part in further))
            loss_sum += loss.detach()
        bits = float(accelerator.reduce(loss_sum, "mean"))
        if math.isfinite(bits):
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.optimizer.clip or math.inf)
            self.prepared_optimizer.step()
            self.average.update(step)
        self.progress.step += 1
        return bits, indices

    # -- actions between steps

    def _run_due_actions(self, logger: MetricsLogger) -> None:
        """Evaluate, save and sample where they are due, and stop if that was requested."""
        intervals, step, out = self.intervals, self.progress.step, self.config.out
        stopping = self._any_process_stopping()
        if self.valid_data is not None and intervals.due(intervals.evaluate, step):
            self._evaluate(logger)
        if stopping or intervals.due(intervals.save, step):
            self._save()
        if self.write_samples is not None and out is not None and intervals.due(intervals.sample, step):
            if self.accelerator.is_main_process:
                with self.average.applied():
                    write_by_program(self.write_samples, self.model, self.train_data, out / "samples", step)
            self.accelerator.wait_for_everyone()
        if stopping and step < self.total:
            raise Interrupted(out)

    def _evaluate(self, logger: MetricsLogger) -> None:
        """Evaluate the averaged weights on validation images, distributed over the processes."""
        accelerator, images = self.accelerator, self.validation_images()
        with self.average.applied():
            nats = evaluate(self.model, images, engine="torch").nats_per_image if len(images) else np.zeros(0)
        sums = torch.tensor([nats.sum(), len(nats)], dtype=torch.float64, device=accelerator.device)
        total, count = accelerator.reduce(sums, "sum").tolist()
        bits = bits_per_dim(total / count, self.model.image.dims)
        progress = self.progress
        progress.last = bits
        improved = bits < progress.best
        if improved:
            progress.best, progress.best_step = bits, progress.step
            self._export("")
        if accelerator.is_main_process:
            logger.log(
                step=progress.step,
                images=progress.step * self.config.batch_size,
                valid_bits_per_dim=bits,
                valid_nats=total / count,
                valid_images=int(count),
            )
            mark = "  best" if improved else ""
            logger.print(f"step {progress.step:>7,}  valid {bits:.4f} bits/dim ({total / count:.3f} nats){mark}")
        self.model.train()

    def validation_images(self) -> ImageDataset:
        """Select this process's share of the images of every validation."""
        assert self.valid_data is not None
        count = min(self.config.intervals.valid_images or len(self.valid_data), len(self.valid_data))
        # always the same images, chosen at random: files are often sorted by class
        chosen = np.random.default_rng(0).permutation(len(self.valid_data))[:count]
        return self.valid_data.subset(np.sort(chosen)[self.accelerator.process_index :: self.accelerator.num_processes])

    def _export(self, name: str) -> None:
        """Write the averaged weights as a model folder: the best to the run's own folder, the newest to `last/`."""
        if self.config.out is not None and self.accelerator.is_main_process:
            with self.average.applied():
                self.save_model(self.config.out / name, replace(self.progress))

    def _save(self) -> None:
        out = self.config.out
        if out is None:
            return
        if self.accelerator.is_main_process:
            record = {**vars(self.progress), "data": self._fingerprint}
            path = save_state(out / "state", self.model, self.average.average, self.optimizer, self.names, record)
            self.last_checkpoint = str(path)
            self._export("last")
            if self.valid_data is None:
                self._export("")
        self.accelerator.wait_for_everyone()

    def resume(self) -> tuple[str, ...]:
        """Load the newest complete checkpoint of the run's folder, and say why newer ones were passed over.

        Raises:
            TrainingError: if there is none, or the run was trained on other images or by another optimiser.
        """
        assert self.config.out is not None
        state = load_state(self.config.out / "state")
        if state.record["data"] != self._fingerprint:
            raise TrainingError(
                f"{self.config.out} was trained on other images than {self.train_data.name}: "
                "resume with the same data and options, or start another run with `init_from`."
            )
        named, saved = self.config.optimizer.name, state.optimizer
        used = named if named != "muon" or any(group["matrices"] for group in self.optimizer.param_groups) else "adam"
        if saved not in (None, used):
            raise TrainingError(
                f"`optimizer.name` (={named}) must be the optimiser of {self.config.out}, whose state is of {saved}: "
                f"set it to {saved}, or start another run with `init_from`."
            )
        state.restore(self.config.out, self.model, self.average.average, self.optimizer, self.names)
        self.progress = state.progress
        self.last_checkpoint = str(self.config.out / "state")
        return state.damaged

    # -- helpers

    def release(self) -> None:
        """Release the wrapped network, which must be gone before its process group is."""
        self.batches.close()
        self.network = self.prepared_optimizer = None
        self.accelerator.free_memory()

    def _logger(self) -> MetricsLogger:
        main = self.accelerator.is_main_process
        console = self.console if main else None
        out = self.config.out if main else None
        return MetricsLogger(out, self.total, self.progress.step, console, self.config.machine.tensorboard and main)

    def _any_process_stopping(self) -> bool:
        """Return True if any process has a request to stop: all must leave at the same step."""
        if self.accelerator.num_processes == 1:
            return self.stop.requested
        flag = torch.tensor(float(self.stop.requested), device=self.accelerator.device)
        return float(self.accelerator.reduce(flag, "sum")) > 0


def _check_parts(config: TrainConfig, processes: int) -> None:
    parts = processes * config.grad_accumulation
    if config.batch_size % parts:
        raise ConfigError(
            f"`batch_size` (={config.batch_size}) must be a multiple of processes x `grad_accumulation` (={parts}): "
            f"try {parts * max(1, config.batch_size // parts)}."
        )


def _compiled(model: PixelModel) -> Any:
    """Compile a model, once per generation order when it is first used; by default torch gives up at the ninth."""
    settings: Any = torch._dynamo.config
    limit = "recompile_limit" if hasattr(settings, "recompile_limit") else "cache_size_limit"  # before torch 2.6
    setattr(settings, limit, max(getattr(settings, limit), len(model.config.orders) + 1))
    return torch.compile(model)
