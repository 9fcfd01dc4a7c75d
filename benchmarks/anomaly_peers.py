"""Peers and measures of `benchmarks/anomaly.py`: PaDiM and PatchCore without pretraining, AUROC, AUPR, FPR95, AUPRO.

Both published methods take features of a network that was trained on ImageNet. Here they take principal components of
small patches at two scales, which need no download: so this is what they can do without pretraining, no more.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from sklearn.neighbors import NearestNeighbors

_COMPONENTS = 16
_BANK = 5_000  # patches that PatchCore keeps
_MAX_FALSE = 0.3  # pixels called odd in normal images, up to which AUPRO is taken


class Patches:
    """Principal components of 5x5 patches, at full and at half resolution, at every second pixel."""

    def __init__(self, normal: np.ndarray) -> None:
        raw = self._raw(normal)
        rows = raw.reshape(-1, raw.shape[-1])
        chosen = np.random.default_rng(0).permutation(len(rows))[:20_000]
        self._pca = PCA(_COMPONENTS, whiten=True, random_state=0).fit(rows[chosen])

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return features `n h w d`."""
        raw = self._raw(images)
        result: np.ndarray = self._pca.transform(raw.reshape(-1, raw.shape[-1])).reshape(*raw.shape[:3], -1)
        return result

    def _raw(self, images: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(images.astype(np.float32) / 255)[:, None]
        maps = []
        for step in (1, 2):
            small = F.avg_pool2d(x, step) if step > 1 else x
            columns = F.unfold(F.pad(small, (2, 2, 2, 2), mode="reflect"), 5)
            patches = columns.view(len(x), 25, *small.shape[2:])
            maps.append(F.interpolate(patches, size=(x.shape[2] // 2, x.shape[3] // 2), mode="area"))
        return torch.cat(maps, 1).permute(0, 2, 3, 1).numpy()


def padim(normal: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Map distances to a Gaussian at each position (Defard et al. 2021), `n h w`."""
    patches = Patches(normal)
    fitted, result = patches(normal), patches(images)
    out = np.empty(result.shape[:3])
    for row, column in np.ndindex(*result.shape[1:3]):
        gaussian = LedoitWolf().fit(fitted[:, row, column])
        out[:, row, column] = gaussian.mahalanobis(result[:, row, column]) ** 0.5
    return _enlarged(out, images.shape[1:])


def patchcore(normal: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Map distances to the nearest of many normal patches (Roth et al. 2022), `n h w`; the bank is a random part."""
    patches = Patches(normal)
    fitted = patches(normal).reshape(-1, _COMPONENTS)
    bank = fitted[np.random.default_rng(0).permutation(len(fitted))[:_BANK]]
    result = patches(images)
    distances, _ = NearestNeighbors(n_neighbors=1).fit(bank).kneighbors(result.reshape(-1, _COMPONENTS))
    return _enlarged(distances.reshape(result.shape[:3]), images.shape[1:])


def _enlarged(maps: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    x = torch.from_numpy(maps)[:, None]
    result: np.ndarray = F.interpolate(x, size=size, mode="bilinear", align_corners=False)[:, 0].numpy()
    return result


def measures(normal: np.ndarray, odd: np.ndarray, repeats: int = 200) -> dict[str, float]:
    """Compute AUROC with a 95 % bootstrap interval, AUPR, and the false alarms at which 95 % of the odd are found.

    Args:
        normal, odd: scores; high is odd.
    """
    truth, scores = _joined(normal, odd)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(repeats):
        some = rng.choice(normal, len(normal)), rng.choice(odd, len(odd))
        drawn.append(roc_auc_score(*_joined(*some)))
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {
        "auroc": float(roc_auc_score(truth, scores)),
        "low": float(low),
        "high": float(high),
        "aupr": float(average_precision_score(truth, scores)),
        "fpr95": float(false[np.argmax(true >= 0.95)]),
    }


def pixel_measures(normal: np.ndarray, odd: np.ndarray, masks: np.ndarray) -> dict[str, float]:
    """Compute AUROC over pixels, and AUPRO up to 30 % false pixels.

    Args:
        normal, odd: maps `n h w`; high is odd.
        masks: pixels of the odd maps that are odd.
    """
    truth = np.concatenate([np.zeros(normal.size, bool), masks.reshape(-1)])
    scores = np.concatenate([normal.reshape(-1), odd.reshape(-1)])
    return {"pixel_auroc": float(roc_auc_score(truth, scores)), "aupro": _aupro(normal, odd, masks)}


def _aupro(normal: np.ndarray, odd: np.ndarray, masks: np.ndarray) -> float:
    """Average over regions the share that is found, as a function of the share of normal pixels called odd."""
    regions = []
    for scores, mask in zip(odd, masks, strict=True):
        labels, count = ndimage.label(mask)
        regions += [np.sort(scores[labels == number]) for number in range(1, count + 1)]
    clean = np.sort(np.concatenate([normal.reshape(-1), odd[~masks]]))
    false = np.linspace(0, _MAX_FALSE, 101)
    thresholds = clean[np.minimum(len(clean) - 1, ((1 - false) * len(clean)).astype(int))]
    result = [np.mean([1 - np.searchsorted(region, t) / len(region) for region in regions]) for t in thresholds]
    return float(np.trapezoid(result, false) / _MAX_FALSE)


def _joined(normal: np.ndarray, odd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.r_[np.zeros(len(normal)), np.ones(len(odd))], np.r_[normal, odd]
