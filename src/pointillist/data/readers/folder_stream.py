"""Images of a folder, read from disk batch by batch, so that a folder of any length fits in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from pointillist.data.dataset import ImageDataset
from pointillist.data.levels import build_dataset, match_spec
from pointillist.data.options import DataOptions
from pointillist.data.readers.decode import ImageSource, decode
from pointillist.data.readers.image_folder import list_files, split_of_folders
from pointillist.data.readers.picture_files import EXTENSIONS, open_picture
from pointillist.errors import ConfigError, DataError
from pointillist.images import ImageSpec


class FolderStream:
    """The image files below a folder, or a single one, in alphabetical order. Labels and captions are not read.

    ```python
    stream = FolderStream(Path("parts/"), DataOptions(size=(28, 28)), model.image)
    for images in stream.batches(64):
        images.files, images.batch(range(len(images))).levels
    ```

    Attributes:
        files: name of each file, relative to the folder.

    Raises:
        DataError: if there is no image.
        ConfigError: for dynamic binarisation.
    """

    def __init__(self, folder: Path, options: DataOptions, spec: ImageSpec) -> None:
        if options.binarise == "dynamic":
            raise ConfigError(
                "`binarise` (='dynamic') draws for a whole data set, and a folder is read in batches: take 'static'."
            )
        self.folder: Path = Path(os.path.normpath(folder))
        self._options, self._spec = match_spec(options, spec), spec
        paths = list_files(self.folder) if self.folder.is_dir() else [self.folder]
        self._paths = [path for path in paths if path.suffix.lower() in EXTENSIONS]
        if not self._paths:
            raise DataError(f"{folder} holds no images: put PNG or JPEG files in it.")
        self.files: tuple[str, ...] = tuple(self._name(path) for path in self._paths)

    @property
    def has_splits(self) -> bool:
        """Return True if the folders of the images are splits, such as `train/` and `valid/`."""
        return self.folder.is_dir() and split_of_folders(self.folder, self._paths) is not None

    @staticmethod
    def reads(path: Path) -> bool:
        """Return True if a path is an image file by its name."""
        return path.is_file() and path.suffix.lower() in EXTENSIONS

    def __len__(self) -> int:
        return len(self._paths)

    def batches(self, batch_size: int) -> Iterator[ImageDataset]:
        """Read the images, `batch_size` at once; of those that cannot be read, `skip_bad` leaves out its own.

        Raises:
            DataError, ConfigError: if a file cannot be read, or the images of a batch differ in size.
        """
        for start in range(0, len(self._paths), batch_size):
            paths = self._paths[start : start + batch_size]
            items = [ImageSource(str(path), partial(open_picture, path)) for path in paths]
            raw, kept = decode(items, self._options, str(self.folder))
            files = tuple(self._name(paths[index]) for index in kept)
            raw = replace(raw, name=self.folder.name or str(self.folder), files=files)
            yield build_dataset(raw, self._options, spec=self._spec)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix() if path != self.folder else path.name
