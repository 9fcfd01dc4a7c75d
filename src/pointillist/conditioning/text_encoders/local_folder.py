"""Files of a text encoder in a folder, as published: weights, settings and tokenizer; none of them can run code."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointillist.errors import ConfigError, MissingExtraError, quote
from pointillist.files.reading import check_file, read_json

# bytes that the file of weights has at least for each of what a setting counts
_BYTES = {
    "num_hidden_layers": 500,
    "hidden_size": 1,
    "intermediate_size": 1,
    "vocab_size": 1,
    "projection_dim": 1,
    "max_position_embeddings": 1,
}
CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"


@dataclass(frozen=True)
class LocalEncoder:
    """A folder with an encoder that is not loaded yet.

    Attributes:
        path: the folder.
        config: its settings.
        fingerprint: SHA-256 of tokenizer and weights.
    """

    path: Path
    config: dict[str, Any]
    fingerprint: str

    @classmethod
    def of(cls, kind: str, folder: str) -> LocalEncoder:
        """Find the encoder `kind:folder`.

        Raises:
            ConfigError: if files are missing, or no files.
        """
        path = Path(folder).expanduser()
        missing = [name for name in (CONFIG, TOKENIZER, WEIGHTS) if not (path / name).is_file()]
        if not folder or missing:
            raise ConfigError(f"`{kind}:{folder}` must name a folder with {', '.join(missing)}: download it.")
        for name in (TOKENIZER, WEIGHTS):
            check_file(path / name, ConfigError)
        config = read_json(path / CONFIG, "download it again", ConfigError)
        if not isinstance(config, dict):
            raise ConfigError(f"{path / CONFIG} holds no settings: download it again.")
        digest = hashlib.sha256((path / TOKENIZER).read_bytes() + (path / WEIGHTS).read_bytes())
        return cls(path, config, digest.hexdigest())

    def tokenizer(self, kind: str, longest: int) -> PromptTokenizer:
        """Load the tokenizer, which cuts a prompt after `longest` tokens.

        Raises:
            MissingExtraError: without `tokenizers`.
        """
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingExtraError(f"The text encoder `{kind}`", kind) from error
        result = Tokenizer.from_file(str(self.path / TOKENIZER))
        result.no_padding()
        result.enable_truncation(longest)
        return PromptTokenizer(result, self.path / TOKENIZER)

    def check_sizes(self) -> None:
        """Reject settings that count more than the weights can hold: layers are built before weights are read.

        Raises:
            ConfigError: naming the setting.
        """
        text, size = self.config.get("text_config"), (self.path / WEIGHTS).stat().st_size
        for settings in (self.config, text if isinstance(text, dict) else {}):
            for name, least in _BYTES.items():
                value = settings.get(name)
                if isinstance(value, int) and value * least > size:
                    raise ConfigError(
                        f"{self.path / CONFIG} sets `{name}` (={quote(value)}), which is more than {WEIGHTS} next to "
                        "it can hold: download it again."
                    )


@dataclass(frozen=True)
class PromptTokenizer:
    """A tokenizer of a stranger, whose tokens must be rows of the weights next to it.

    Attributes:
        tokenizer: a tokenizer of the library `tokenizers`.
        path: its file.
    """

    tokenizer: Any
    path: Path

    def ids(self, text: str, rows: int) -> list[int]:
        """Return the tokens of a prompt, each below `rows`, the number of tokens that the weights know.

        Raises:
            ConfigError: if the tokenizer cannot read it, or gives no tokens that the weights know.
        """
        try:
            result: list[int] = self.tokenizer.encode(text).ids
        except Exception as error:  # the library raises plain exceptions
            raise ConfigError(
                f"{self.path} cannot read the prompt {quote(text)} ({quote(str(error))}): download it again."
            ) from error
        if not result or max(result) >= rows:
            token = f"the token {max(result):,}" if result else "no token"
            raise ConfigError(
                f"{self.path} gives {token} for the prompt {quote(text)}, and the weights next to it know {rows:,}: "
                "download it again."
            )
        return result
