"""The detector of `detect`: loaded from its folder, or fitted on normal images that the model was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.commands.measurement.settings import DetectSettings

if TYPE_CHECKING:
    from pointillist.anomaly import AnomalyDetector
    from pointillist.model.protocols import LikelihoodModel


@dataclass(frozen=True, kw_only=True)
class NormalImages:
    """The images that a detector was fitted on.

    Attributes:
        data: their source, as it was typed.
        split: its split.
        count: number of images.
        in_training: number of those that the model was trained on, as far as its settings tell.
    """

    data: str
    split: str
    count: int
    in_training: int

    def describe(self) -> str:
        """Describe them in a line, such as "144 images of uci-digits, split valid"."""
        from pointillist.errors import counted

        return f"{counted(self.count, 'image')} of {self.data}, {self.split_text}"

    @property
    def split_text(self) -> str:
        return "all splits" if self.split == "all" else f"split {self.split}"

    def warnings(self, judged: int) -> list[str]:
        """Warn where p-values are not valid.

        Args:
            judged: number of the images to score that are also among these.
        """
        from pointillist.errors import counted

        lines = []
        if self.in_training:
            lines.append(
                f"the detector was fitted on {counted(self.in_training, 'training image')} of this model, so unseen "
                "normal images get p-values that are too small: give others with --fit or --fit-split"
            )
        if judged:
            lines.append(
                f"the detector was fitted on {judged:,} of the images that are scored here, which makes p-values too "
                "large: give other normal images with --fit or --fit-split"
            )
        return lines


def folder_of(settings: DetectSettings) -> Path | None:
    """Return the folder of the detector: as named, or a model of the user."""
    from pointillist.model.folder.settings import own_folder

    return settings.detector or own_folder(settings.model)


def load_detector(
    folder: Path | None, model: LikelihoodModel, background: LikelihoodModel | None, settings: DetectSettings
) -> AnomalyDetector:
    """Load the detector of a folder.

    Raises:
        ConfigError: if there is none, or a setting of `fit` differs from the detector's.
        CheckpointError: if it does not fit the models, or is damaged.
    """
    from pointillist.anomaly import AnomalyDetector
    from pointillist.anomaly.files import has_detector
    from pointillist.errors import ConfigError

    if settings.fit_split is not None:
        raise ConfigError(f"`fit_split` (={settings.fit_split!r}) is a split of `--fit`: name the normal images there.")
    if folder is None or not has_detector(folder):
        raise ConfigError(
            f"{folder or settings.model} has no detector: fit one with `--fit` and a folder of normal images"
            f"{', or name its folder with `--detector`' if folder is None else ''}."
        )
    if settings.neighbours is not None:
        raise ConfigError(f"`neighbours` (={settings.neighbours!r}) goes with `--fit`: the detector stores others.")
    detector = AnomalyDetector.load(folder, model, background)
    if settings.conditions and not detector.conditions:
        raise ConfigError("`conditions` (=True) goes with `--fit`: this detector was fitted without conditions.")
    if settings.engine not in ("auto", detector.engine_):
        raise ConfigError(
            f"`engine` (={settings.engine!r}) goes with `--fit`: this detector was fitted by {detector.engine_!r}."
        )
    return detector


def fit_detector(
    folder: Path | None, model: LikelihoodModel, background: LikelihoodModel | None, settings: DetectSettings
) -> tuple[AnomalyDetector, NormalImages]:
    """Fit a detector on normal images, and store it where there is a folder for it.

    Raises:
        ConfigError: if the folder has a detector and `force` is not set.
        DataError: if the images cannot be read, or are too few.
    """
    from pointillist.anomaly import AnomalyDetector
    from pointillist.anomaly.files import has_detector
    from pointillist.errors import ConfigError

    if folder is not None and has_detector(folder) and not settings.force:
        raise ConfigError(
            f"{folder} has a detector already: leave `--fit` out to use it, add `--force` to replace it, or name "
            "another folder with `--detector`."
        )
    fitting: dict[str, Any] = {"conditions": settings.conditions, "batch_size": settings.batch_size}
    fitting["engine"] = settings.engine
    if settings.false_alarms is not None:
        fitting["contamination"] = settings.false_alarms
    detector = AnomalyDetector(model, background=background, **fitting)
    images, normal = _open_normal_images(model, settings, detector.conditions)
    neighbours = None
    if settings.neighbours is not None:
        neighbours, _ = open_images(model, settings.neighbours, settings, split="train?", conditions=False)
    detector.fit(images, neighbours=neighbours)
    if folder is not None:
        detector.save(folder)
    return detector, normal


def open_judged(model: LikelihoodModel, settings: DetectSettings, conditions: bool) -> Any:
    """Open the images to score, with their labels, which a report names.

    Images of a source whose labels the training left out are read a second time, and are labelled if they are the same.
    """
    from pointillist.data import ImageDataset

    images, _ = open_images(model, settings.data, settings, split=settings.split, conditions=conditions)
    if not isinstance(images, ImageDataset) or images.labels is not None or settings.report is None:
        return images
    labelled, _ = open_images(model, settings.data, settings, split=settings.split, conditions=False, named=True)
    return labelled if labelled.fingerprint == images.fingerprint else images


def open_images(
    model: LikelihoodModel,
    data: str,
    settings: DetectSettings,
    *,
    split: str | None,
    conditions: bool,
    named: bool = False,
) -> tuple[Any, str]:
    """Open images as the model was trained to read them: a folder as a stream, everything else whole.

    Args:
        model: the model that scores them.
        data: their source.
        settings: of the command.
        split: name of a split; `valid?` and `train?` are these splits, if there are any; None is all images.
        conditions: whether they are read with labels and captions.
        named: whether labels are read to be named alone, of any class.

    Returns:
        The images and the name of their split.
    """
    from pointillist.anomaly.reading import training_split, validation_images
    from pointillist.data import load_data
    from pointillist.data.readers.image_folder import FolderStream
    from pointillist.model.folder.image_sources import is_training_source, resolve_data_options

    options = resolve_data_options(model, data, settings.set, labels=conditions or split == "valid?")
    if named:
        options = options.changed(labels=True)
    if settings.windows:
        options = options.changed(size=None)
    path = Path(data)
    if (path.is_dir() or FolderStream.reads(path)) and split in (None, "valid?", "train?") and not conditions:
        stream = FolderStream(path, options, model.image)
        if split is None or not (stream.has_splits or is_training_source(model, data)):
            return stream, "all"
    if split == "valid?":
        return validation_images(model, data, options, conditions, hold_out=not is_training_source(model, data))
    classes = model.classes if options.labels and not named else ()
    splits = load_data(data, options, spec=model.image, classes=classes)
    if split == "train?":
        return training_split(splits), "train"
    return splits.get(split or "all"), split or "all"


def _open_normal_images(model: LikelihoodModel, settings: DetectSettings, conditions: bool) -> tuple[Any, NormalImages]:
    from pointillist.data.raw import split_name
    from pointillist.model.folder.image_sources import is_training_source

    data = str(settings.fit)
    wanted = (
        settings.fit_split if settings.fit_split in (None, "all") else split_name(settings.fit_split, "`fit_split`")
    )
    images, split = open_images(model, data, settings, split=wanted or "valid?", conditions=conditions)
    in_training = 0
    if is_training_source(model, data) and split in ("train", "all"):
        train = (
            images if split == "train" else open_images(model, data, settings, split="train", conditions=conditions)[0]
        )
        in_training = len(train)
    return images, NormalImages(data=data, split=split, count=len(images), in_training=in_training)
