"""MiniLM sentence embeddings (Wang et al. 2020) from a folder: BERT's forward pass on its weights, mean of the tokens.

The folder holds `model.safetensors`, `config.json` and `tokenizer.json`, as sentence-transformers publishes them.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor

from pointillist.conditioning.text_encoders.local_folder import WEIGHTS, LocalEncoder, PromptTokenizer

MAX_TOKENS = 128


class MiniLM:
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
        """Encode tokens by the last layer; see `TokenEncoder.tokens`."""
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
