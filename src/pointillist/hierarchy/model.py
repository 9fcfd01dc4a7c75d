"""The hierarchy: a chain of pixel models that is trained, loaded, sampled and evaluated as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Unpack

from rich.console import Console

from pointillist.conditioning import Label
from pointillist.data import ImageDataset
from pointillist.hierarchy.chain import Chain
from pointillist.hierarchy.config import CODES, PIXELS, TOKENIZER, HierarchyFile, scale_names
from pointillist.hierarchy.data import Pyramid
from pointillist.hierarchy.evaluate import HierarchyEvaluation, evaluate_chain
from pointillist.hierarchy.sample import HierarchySampler, HierarchySamples, sample_batches
from pointillist.hierarchy.tokenizers.tokenizer import Tokenizer
from pointillist.hierarchy.train import HierarchyTraining
from pointillist.model.folder.pretrained import load
from pointillist.sampling.config import SampleKwargs
from pointillist.sampling.generative import ImageRequest


class Hierarchy(Chain):
    """Images by scales: codes of an encoder, a pixel model of each scale given the codes before it, honest bits.

    ```python
    hierarchy = pt.Hierarchy.load("runs/photos")
    hierarchy.sample(4, seed=0).images[0].save("photo.png")
    hierarchy.code_length(x).bits_per_dim  # a bound
    ```

    Attributes and errors are as in `Chain`.
    """

    @classmethod
    def load(cls, folder: str | Path) -> Hierarchy:
        """Load the folder of a hierarchy; its files cannot run code, and are checked like files of a model.

        Raises:
            CheckpointError: if it is not a Pointillist model, damaged, or not trained to its end.
        """
        folder = Path(folder)
        file = HierarchyFile.read(folder)
        tokenizers = [Tokenizer.load(folder / n) for n in scale_names(TOKENIZER, file.scales) if file.tokenized]
        codes = [load(folder / name) for name in scale_names(CODES, file.scales)]
        return cls(tokenizers, codes, load(folder / PIXELS) if file.pixels else None, file.data)

    def save(self, folder: str | Path) -> None:
        """Write the folder of the hierarchy; each file appears whole or not at all."""
        folder = Path(folder)
        for name, tokenizer in zip(scale_names(TOKENIZER, len(self.tokenizers)), self.tokenizers, strict=True):
            tokenizer.save(folder / name)
        for name, model in self.models.items():
            model.save_pretrained(folder / name)
        HierarchyFile(
            scales=len(self.codes), tokenized=bool(self.tokenizers), pixels=self.pixels is not None, data=self.data
        ).write(folder)

    @classmethod
    def train(
        cls,
        config: Path | str | Mapping[str, Any] | None = None,
        *,
        stage: str | None = None,
        resume: bool = False,
        console: Console | None = None,
        **overrides: Any,
    ) -> Hierarchy | None:
        """Train a hierarchy as a run config describes: what `pointillist train --model hierarchy` does.

        ```python
        hierarchy = pt.Hierarchy.train("photos64.toml", train={"out": "runs/photos"})
        ```

        Args:
            config: TOML file with the tables `[data]`, `[train]`, `[tokenizer]`, `[codes.model]` and so on, or a
                dictionary of them.
            stage: train this stage alone.
            resume: continue the run in `train.out`; stages that have not begun are started.
            console: where progress is shown; None is silent.
            overrides: tables that override `config`; settings of `train` hold for every stage.

        Returns:
            The hierarchy; None where other stages are still to be trained.

        Raises:
            ConfigError, DataError, TrainingError, Interrupted: as `pointillist.train_from_config`.
        """
        training = HierarchyTraining.of(config, overrides, resume=resume)
        out = training.train(stage, console)
        trained = all((out / name / "config.json").is_file() for name in training.run.stages)
        return cls.load(out) if trained else None

    def sample(
        self,
        n: int,
        label: Label = None,
        text: Any = None,
        *,
        seed: int | None = None,
        size: int | str | tuple[int, int] | None = None,
        **settings: Unpack[SampleKwargs],
    ) -> HierarchySamples:
        """Sample `n` images, scale by scale from coarse to fine.

        Args:
            label, text: conditions, one value for all images or one for each, for the scales that take them.
            seed: image i depends on (seed, i) alone, not on `n` or `batch_size`; None draws a new seed.
            size: 64, 48x64 or `(height, width)` instead of the trained size: a multiple of the pixels of a code.
            settings: of every scale, as for `pointillist.sample`; guidance is for the coarsest scale.

        Raises:
            ConfigError, ShapeError, EngineError: naming the argument that is wrong.
        """
        arguments: Mapping[str, Any] = {"label": label, "text": text, "seed": seed, "size": size, **settings}
        return HierarchySamples.concat(list(sample_batches(self, n, **arguments)))

    def sampler(self, request: ImageRequest) -> HierarchySampler:
        """Check a request for images; `SamplePlan` samples them as for any model.

        Raises:
            ConfigError, ShapeError: naming the setting that is wrong.
        """
        return HierarchySampler(self, request)

    def stream(self, n: int, *, first: int = 0, **settings: Any) -> Iterator[HierarchySamples]:
        """Sample like `sample`, and yield each batch when it is finished.

        Args:
            first: the first image to sample, a multiple of `batch_size`.
        """
        yield from sample_batches(self, n, first=first, **settings)

    def evaluate(
        self, data: ImageDataset | Pyramid, train: ImageDataset | Pyramid | None = None, *, batch_size: int = 64
    ) -> HierarchyEvaluation:
        """Evaluate on images: bits of each scale and of the pair, reconstructions, use of the codes, baselines.

        Args:
            data: images; or codes of the user, from `read_codes`.
            train: images of the training, which prime the baselines of the codes.
            batch_size: images at once; the result does not change.

        Raises:
            DataError, ShapeError, ConfigError: if the images do not fit the models.
        """
        return evaluate_chain(self, data, train, batch_size=batch_size)
