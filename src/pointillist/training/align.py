"""Clusters, made before a training: what captions and images share is learned, and images are parted by it.

    loss = - mean_i log softmax_j (a_i . b_j e^s)_i - mean_j log softmax_i (a_i . b_j e^s)_j

over a batch of captions a and images b of different subjects (Radford et al. 2021, InfoNCE). The vectors of images are
then kept, and parted by k-means on the sphere. Captions that were trained on are nearer to their images than new ones
can be, so p(k | c) is fitted to what captions say to networks that have not seen their subject (Wolpert, Stacked
Generalization, 1992): the caption's half is trained anew, once without each fold of the subjects, and once with all.
Labels are few, so p(k | label) is what was counted; how much of it counts beside a caption is fitted in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from pointillist.clusters import cluster_listener
from pointillist.conditioning import CaptionTower, ImageTower, prompts_of, subject
from pointillist.data import ImageDataset
from pointillist.errors import ConfigError
from pointillist.pixel_model import PixelModel
from pointillist.telling import match_labels
from pointillist.text import features, places_of
from pointillist.training.augment import coloured, reworded, shift_images
from pointillist.training.calibrate import SHARP, calibrate, count_labels
from pointillist.training.config import TrainConfig

FOLDS = 5
WAYS = np.array([0.4, 0.3, 0.15, 0.15])
"""Shares in which a caption is said by its subject alone, as it is, and both with the colour of its image."""
BATCH, READ = 256, 512
"""Pairs of a step in which images are seen, and in which captions alone are read."""
RATE, DECAY, WARMUP = 2e-3, 0.05, 0.1
SHARPEST = math.log(100.0)
ROUNDS = 50
SEEING = 10
"""Steps without images that take as long as one with them."""

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Captions:
    """What a tower takes of each image's caption, said in several ways: `[ways n ...]`; None where it takes none."""

    pieces: Int[Tensor, "ways n l"] | None
    sentences: Float[Tensor, "ways n s"] | None

    def __call__(self, index: np.ndarray, way: np.ndarray, device: torch.device) -> list[Tensor | None]:
        """Of some images, each said in one way."""
        rows = torch.from_numpy(way), torch.from_numpy(index)
        return [None if each is None else each[rows].to(device) for each in (self.pieces, self.sentences)]


def align(model: PixelModel, data: ImageDataset, config: TrainConfig, report: Report | None = None) -> None:
    """Make the clusters of a model from captions and images.

    Args:
        config: `align_steps`, `seed`, how captions are said in other words, and the precision.
        report: called with the work that is done and all there is, in steps without images.

    Raises:
        ConfigError: if there are too few subjects to learn from.
    """
    listener = cluster_listener(model)
    assert listener is not None
    texts, clusters = data.texts or (), listener.config.count
    groups = [np.array(places) for name, places in places_of(map(subject, texts)).items() if name]
    fewest = max(2 * FOLDS, clusters)
    if len(groups) < fewest:
        raise ConfigError(
            f"`clusters` (={clusters}) need captions of at least {fewest} subjects, and those of {data.name} are of "
            f"{len(groups)}: ask for fewer, or leave them out."
        )
    device, steps = listener.means.device, config.align_steps
    levels = data.batch(np.arange(len(data))).levels
    captions = _said(model, data, config)
    done, total = 0, steps * (SEEING + FOLDS + 1)

    def step_done(work: int) -> None:
        nonlocal done
        done += work
        if report is not None:
            report(done, total)

    seed = int(np.random.SeedSequence([config.seed, 37]).generate_state(1)[0])
    draws = np.random.default_rng(seed)
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(seed)
        seeing, first = _image_tower(model), _caption_tower(model)
        half = config.precision == "bf16"

        def seen(index: np.ndarray) -> Tensor:
            # cast anew in each step: within one block torch would keep the first weights that it has cast
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                found: Tensor = seeing(_moved(levels[torch.from_numpy(index)], draws).to(device))
            return found

        _fit(first, seeing, seen, captions, groups, steps, draws, step_done)
        listener.seeing.load_state_dict(seeing.fused())
        parts = [levels[start : start + BATCH] for start in range(0, len(levels), BATCH)]
        vectors = torch.cat([listener.vectors(part).float().cpu() for part in parts])

        def kept(index: np.ndarray) -> Tensor:
            return vectors[torch.from_numpy(index)].to(device)

        folds = draws.permutation(len(groups)) % FOLDS
        said = torch.zeros(len(WAYS), len(data), listener.config.size)
        for fold in range(FOLDS):
            tower = _caption_tower(model)
            others = [group for group, own in zip(groups, folds, strict=True) if own != fold]
            _fit(tower, None, kept, captions, others, steps, draws, step_done)
            mine = np.concatenate([group for group, own in zip(groups, folds, strict=True) if own == fold])
            for way in range(len(WAYS)):
                said[way, torch.from_numpy(mine)] = _say(tower, captions, mine, way, device)
        last = _caption_tower(model)
        _fit(last, None, kept, captions, groups, steps, draws, step_done)
        listener.saying.load_state_dict(last.state_dict())
    labels = match_labels(model, data)
    captioned = torch.from_numpy(np.sort(np.concatenate(groups)))
    means = _k_means(vectors, clusters, draws)
    own = (vectors @ means.T).argmax(1)
    with torch.no_grad():
        listener.means.copy_(means)
        listener.shares.copy_(torch.log((torch.bincount(own, minlength=clusters) + 1) / (len(own) + clusters)))
    count_labels(listener, own, labels)
    calibrate(listener, said[:, captioned], own[captioned], labels[captioned])


def _image_tower(model: PixelModel) -> ImageTower:
    """One to be trained."""
    config = model.config.clusters
    assert config is not None
    return ImageTower(model.image, config.channels, config.size, normed=True).to(model.device)


def _caption_tower(model: PixelModel) -> CaptionTower:
    """One to be trained."""
    config, text = model.config.clusters, model.config.text
    assert config is not None
    assert text is not None
    return CaptionTower(text.buckets * text.learned, text.size, config.hidden, config.size).to(model.device)


def _fit(
    saying: nn.Module,
    seeing: nn.Module | None,
    images: Callable[[np.ndarray], Tensor],
    captions: Captions,
    groups: Sequence[np.ndarray],
    steps: int,
    draws: np.random.Generator,
    step_done: Callable[[int], None],
) -> None:
    """Train the tower of captions on vectors of images, with the tower that makes these if it is given."""
    weights = [*saying.parameters(), *(() if seeing is None else seeing.parameters())]
    device = weights[0].device
    sharpness = nn.Parameter(torch.tensor(SHARP, device=device))
    optimiser = torch.optim.AdamW(
        [{"params": weights, "weight_decay": DECAY}, {"params": [sharpness], "weight_decay": 0.0}], lr=RATE
    )
    for step in range(steps):
        rate = RATE * min(1.0, (step + 1) / (WARMUP * steps)) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = rate
        chosen = draws.choice(len(groups), min(READ if seeing is None else BATCH, len(groups)), replace=False)
        index = np.array([draws.choice(groups[number]) for number in chosen])
        said = saying(*captions(index, draws.choice(len(WAYS), len(index), p=WAYS), device))
        likeness = said.float() @ images(index).float().T * sharpness.clamp(max=SHARPEST).exp()
        truth = torch.arange(len(index), device=device)
        loss = F.cross_entropy(likeness, truth) + F.cross_entropy(likeness.T, truth)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        step_done(1 if seeing is None else SEEING)
    saying.eval()


def _said(model: PixelModel, data: ImageDataset, config: TrainConfig) -> Captions:
    """Captions in several ways; see `WAYS`."""
    index = np.arange(len(data))
    batch = data.batch(index)
    whole = config.model_copy(update={"word_dropout": 0.0, "part_dropout": 0.0})
    ways = []
    for colours in (0.0, float(config.colour_words > 0)):
        said = reworded(coloured(batch, index, config.seed, colours, data.spec), index, config.seed, whole).texts or ()
        ways += [list(map(subject, said)), list(said)]
    text = model.config.text
    assert text is not None
    number = {said: i for i, said in enumerate(dict.fromkeys(said for way in ways for said in way))}
    rows = torch.tensor([[number[said] for said in way] for way in ways])
    pieces = sentences = None
    if text.learned:
        pieces = torch.from_numpy(np.stack([features(said, text.buckets, text.length) for said in number]))[rows]
    if text.encoder:
        sentences = torch.from_numpy(prompts_of(text.encoder, text.fingerprint).to_search(number))[rows]
    return Captions(pieces, sentences)


def _moved(levels: Int[Tensor, "n c h w"], draws: np.random.Generator) -> Int[Tensor, "n c h w"]:
    """Images moved by up to a sixteenth of their side, half of them mirrored."""
    reach, seed = min(levels.shape[2:]) // 16, int(draws.integers(2**31))
    moved = shift_images(levels.numpy(), np.arange(len(levels)), seed, reach) if reach else levels.numpy()
    mirrored = draws.random(len(levels)) < 0.5
    return torch.from_numpy(np.where(mirrored[:, None, None, None], moved[..., ::-1], moved))


@torch.no_grad()
def _say(
    tower: nn.Module, captions: Captions, index: np.ndarray, way: int, device: torch.device
) -> Float[Tensor, "n d"]:
    """Vectors of captions, said in one way."""
    found: Tensor = tower(*captions(index, np.full(len(index), way), device))
    return found.float().cpu()


def _k_means(vectors: Float[Tensor, "n d"], count: int, draws: np.random.Generator) -> Float[Tensor, "k d"]:
    """Means, of length 1, of the vectors that are nearest to each; one that nothing is nearest to goes elsewhere.

    They start from vectors that are far from one another (k-means++, Arthur and Vassilvitskii 2007).
    """
    means = vectors[[int(draws.integers(len(vectors)))]]
    apart = np.full(len(vectors), np.inf)
    while len(means) < count:
        apart = np.minimum(apart, 1 - (vectors @ means[-1]).double().numpy()).clip(min=0)
        total = apart.sum()
        chosen = int(draws.choice(len(vectors), p=apart / total if total > 0 else None))
        means = torch.cat([means, vectors[chosen : chosen + 1]])
    for _ in range(ROUNDS):
        likeness, own = (vectors @ means.T).max(1)
        sums = torch.zeros_like(means).index_add_(0, own, vectors)
        empty = torch.bincount(own, minlength=count) == 0
        sums[empty] = vectors[likeness.argsort()[: int(empty.sum())]]  # what is farthest from its mean
        means = F.normalize(sums, dim=1)
    return means
