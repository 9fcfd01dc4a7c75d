"""The text half of CLIP (Radford et al. 2021) from a folder, through `transformers`: a vector, or token states.

The folder holds `model.safetensors`, `config.json` and `tokenizer.json`, as CLIP models are published; the weights of
the image half may be among them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pointillist.conditioning.text_encoders.local_folder import CONFIG, LocalEncoder, PromptTokenizer
from pointillist.errors import ConfigError, MissingExtraError


class CLIPText:
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
                "give "
                "the folder of a CLIP model."
            )
        result.check_sizes()
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
        """Encode tokens by the last layer and its norm; see `TokenEncoder.tokens`."""
        return np.asarray(self._forward(text).last_hidden_state[0].numpy())

    def _forward(self, text: str) -> Any:
        rows = len(self.model.get_input_embeddings().weight)
        ids = torch.tensor([self.tokenizer.ids(text, rows)])
        with torch.inference_mode():
            return self.model(input_ids=ids)
