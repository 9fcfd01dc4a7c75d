"""Text encoders in a folder, as published: CLIP and MiniLM. None of the files can run code.

The folder holds `model.safetensors`, `config.json` and `tokenizer.json`. Of CLIP (Radford et al. 2021) it is the text
half, through `transformers`; the weights of the image half may be among them. MiniLM sentence embeddings (Wang et al.
2020) are the forward pass of BERT on its weights, and the mean of the tokens.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from pointillist.conditioning.text_encoders.universal_sentence_encoder import TextEncoder
from pointillist.errors import ConfigError, MissingExtraError, quote
from pointillist.files.reading import check_file, read_json
from pointillist.images.array_types import Float

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
            ConfigError: if files are missing, or no files, or a setting counts more than the weights can hold.
        """
        path = Path(folder).expanduser()
        missing = [name for name in (CONFIG, TOKENIZER, WEIGHTS) if not (path / name).is_file()]
        if not folder or missing:
            raise ConfigError(f"`{kind}:{folder}` must name a folder with {', '.join(missing)}: download it.")
        for name in (TOKENIZER, WEIGHTS):
            check_file(path / name, ConfigError)
        config, size = read_json(path / CONFIG, "download it again", ConfigError), (path / WEIGHTS).stat().st_size
        text = config.get("text_config")
        for settings in (config, text if isinstance(text, dict) else {}):  # layers are built before weights are read
            for name, least in _BYTES.items():
                value = settings.get(name)
                if isinstance(value, int) and value * least > size:
                    raise ConfigError(
                        f"{path / CONFIG} sets `{name}` (={quote(value)}), which is more than {WEIGHTS} next to it can "
                        "hold: download it again."
                    )
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


class CLIPText(TextEncoder):
    """A CLIP text model: the projection of its last state, brought to length 1, is the vector.

    Raises:
        ConfigError: if the folder does not hold one.
        MissingExtraError: without `transformers`.
    """

    def __init__(self, folder: str) -> None:
        try:
            from transformers import CLIPTextModelWithProjection
            from transformers.utils import logging
        except ImportError as error:
            raise MissingExtraError("The text encoder `clip`", "clip") from error
        result = LocalEncoder.of("clip", folder)
        settings = result.config.get("text_config", result.config)
        if not str(result.config.get("model_type", "")).startswith("clip"):
            raise ConfigError(
                f"`clip:{folder}` holds a {result.config.get('model_type', 'model of no kind')!r} in its {CONFIG}: "
                "give the folder of a CLIP model."
            )
        self.name: str = f"clip:{folder}"
        self.fingerprint: str = result.fingerprint
        self.tokenizer: PromptTokenizer = result.tokenizer("clip", int(settings.get("max_position_embeddings", 77)))
        opener: Any = CLIPTextModelWithProjection
        reports: Any = logging
        verbosity = reports.get_verbosity()
        reports.set_verbosity_error()  # its report prints names of a stranger's file; we read it below
        try:
            model, report = opener.from_pretrained(
                result.path, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
        finally:
            reports.set_verbosity(verbosity)
        if report["missing_keys"]:  # they would be random
            raise ConfigError(f"`clip:{folder}` has no weights {min(report['missing_keys'])}: download it again.")
        self.model: Any = model.eval()
        self.size: int = int(self.model.config.projection_dim)
        self.token_size: int = int(self.model.config.hidden_size)

    def encode(self, text: str) -> np.ndarray:
        """Encode one prompt; see `TextEncoder.encode`."""
        vector = self._forward(text).text_embeds[0]
        return np.asarray(torch.nn.functional.normalize(vector, dim=0).numpy())

    def tokens(self, text: str) -> np.ndarray:
        """Encode tokens by the last layer and its norm; see `TextEncoder.tokens`."""
        return np.asarray(self._forward(text).last_hidden_state[0].numpy())

    def _forward(self, text: str) -> Any:
        rows = len(self.model.get_input_embeddings().weight)
        ids = torch.tensor([self.tokenizer.ids(text, rows)])
        with torch.inference_mode():
            return self.model(input_ids=ids)


MAX_TOKENS = 128


class MiniLM(TextEncoder):
    """A small BERT encoder.

    Raises:
        ConfigError: if the folder does not hold one.
        MissingExtraError: without `tokenizers`.
    """

    size: int
    token_size: int
    layers: int
    heads: int

    def __init__(self, folder: str) -> None:
        result = LocalEncoder.of("minilm", folder)
        self.name: str = f"minilm:{folder}"
        self.fingerprint: str = result.fingerprint
        self.size = self.token_size = int(result.config["hidden_size"])
        self.layers, self.heads = int(result.config["num_hidden_layers"]), int(result.config["num_attention_heads"])
        self.tokenizer: PromptTokenizer = result.tokenizer("minilm", MAX_TOKENS)
        self.weights: dict[str, Tensor] = load_file(result.path / WEIGHTS)

    def encode(self, text: str) -> np.ndarray:
        """Encode one prompt; see `TextEncoder.encode`."""
        with torch.inference_mode():
            return F.normalize(self._states(text).mean(0), dim=0).numpy()

    def tokens(self, text: str) -> np.ndarray:
        """Encode tokens by the last layer; see `TextEncoder.tokens`."""
        with torch.inference_mode():
            return self._states(text).numpy()

    def _states(self, text: str) -> Float[Tensor, "t d"]:
        w = self.weights
        words = w["embeddings.word_embeddings.weight"]
        ids = torch.tensor(self.tokenizer.ids(text, len(words)))
        x = words[ids] + w["embeddings.position_embeddings.weight"][: len(ids)]
        x = self._norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(self.layers):
            x = self._layer(x, f"encoder.layer.{layer}")
        return x

    def _layer(self, x: Float[Tensor, "t d"], name: str) -> Float[Tensor, "t d"]:
        q, k, v = (
            self._by_head(self._linear(x, f"{name}.attention.self.{part}")) for part in ("query", "key", "value")
        )
        attended = F.scaled_dot_product_attention(q, k, v).transpose(0, 1).flatten(1)
        attended = self._linear(attended, f"{name}.attention.output.dense")
        x = self._norm(x + attended, f"{name}.attention.output.LayerNorm")
        inner = F.gelu(self._linear(x, f"{name}.intermediate.dense"))
        return self._norm(x + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _by_head(self, x: Float[Tensor, "t d"]) -> Float[Tensor, "h t e"]:
        return x.reshape(len(x), self.heads, -1).transpose(0, 1)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], 1e-12)
