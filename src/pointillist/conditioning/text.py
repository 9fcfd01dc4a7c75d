"""Text: prompts as vectors of a frozen encoder, as words learned with the model, or as tokens for cross-attention.

Needs no torch; `prompts.py` reads prompts, and `encoders/text.py` has the encoders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pointillist.conditioning.portable import PortableEncoder
from pointillist.conditioning.prompts import NgramKind, PromptFeatures
from pointillist.conditioning.registry import ConditionConfig, missing
from pointillist.conditioning.text_encoders.cache import open_encoder
from pointillist.conditioning.tokens import TokenFeatures
from pointillist.errors import ConfigError

if TYPE_CHECKING:
    from pointillist.data import ImageDataset
    from pointillist.images import ImageSpec

LEARNED, TOKENS, OFF = "learned", "tokens", "off"
WORDS, STATES = 16, 32  # tokens of a prompt that are read: learned words, states of an encoder


class TextConfig(ConditionConfig):
    """A caption for each image.

    Attributes:
        encoder: Text encoder: use, learned, use+learned, minilm:FOLDER, clip:FOLDER, each also with +tokens
            (cross-attention), or off; use where the images have captions. Learned are embeddings of words and
            n-grams.
        fingerprint: SHA-256 of the weights of the frozen encoder; filled in.
        size: numbers in a vector of the frozen encoder; filled in.
        width: features of each encoding.
        buckets, length: number of embeddings of words and n-grams; number that are read of a prompt.
        ngrams: characters (words and 3 to 5 characters, for spelling) or words (words in their order, five together,
            for which thing has which colour).
        feature_dropout: dropout on the features, against learning captions by heart.
        num_tokens: tokens of a prompt that cross-attention reads; filled in where `+tokens` is given.
        token_size: numbers of the token states of the frozen encoder; 0 where tokens are learned words. Filled in.
        pieces: n-grams that are read of a learned word, the word itself among them.
    """

    kind: ClassVar[str] = "text"
    added_by_finetuning: ClassVar[bool] = False
    portable: ClassVar[tuple[type[PortableEncoder], ...]] = (PromptFeatures, TokenFeatures)

    encoder: str = "use"
    fingerprint: str = ""
    size: int = Field(0, ge=0, le=65_536)
    width: int = Field(64, ge=1, le=8192)
    buckets: int = Field(4096, ge=1, le=1_048_576)
    length: int = Field(96, ge=1, le=4096)
    ngrams: NgramKind = "characters"
    feature_dropout: float = Field(0.1, ge=0, lt=1)
    num_tokens: int = Field(0, ge=0, le=1024)
    token_size: int = Field(0, ge=0, le=65_536)
    pieces: int = Field(24, ge=1, le=1024)

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts that `encoder` joins by `+`."""
        return tuple(part.strip() for part in self.encoder.split("+"))

    @property
    def frozen(self) -> str:
        """Name of the frozen encoder; empty for none."""
        return next((part for part in self.parts if part not in (LEARNED, TOKENS, OFF)), "")

    @property
    def learned(self) -> bool:
        """True if words are learned with the model."""
        return LEARNED in self.parts

    @classmethod
    def of(cls, value: bool | str, image: ImageSpec) -> TextConfig:
        """Expand the name of an encoder; True is `use`."""
        return cls(encoder="use" if value is True else str(value)).completed()

    @classmethod
    def infer(cls, settings: TextConfig | None, data: ImageDataset) -> TextConfig | None:
        """Take the captions of the data set, by `use` unless another encoder is set."""
        if settings is None:
            return None if data.texts is None else cls().completed()
        return None if settings.encoder == OFF else settings.completed()

    def completed(self) -> TextConfig:
        """Fill in the sizes and the fingerprint of the frozen encoder.

        Tokens are the states of the encoder where it gives them, and learned words otherwise.

        Raises:
            ConfigError, MissingExtraError: if there is no such encoder, or it is not installed.
        """
        if self.fingerprint:
            return self
        parts = self.parts
        frozen = [part for part in parts if part not in (LEARNED, TOKENS)]
        if len(frozen) > 1 or len(set(parts)) < len(parts) or parts == (TOKENS,):
            raise ConfigError(
                f"`text` (={self.encoder!r}) may name one encoder, with `{LEARNED}` and `{TOKENS}` next to it: "
                "for example use+learned."
            )
        encoder = open_encoder(self.frozen) if self.frozen else None
        result: dict[str, Any] = {}
        if encoder is not None:
            result = {"fingerprint": encoder.fingerprint, "size": encoder.size}
        if TOKENS in parts and encoder is not None and encoder.token_size:
            result |= {"num_tokens": self.num_tokens or STATES, "token_size": encoder.token_size}
        elif TOKENS in parts:
            if not self.learned:
                raise ConfigError(
                    f"`text` (={self.encoder!r}) has no tokens: let it learn words as well, `{self.encoder}+{LEARNED}`."
                )
            result["num_tokens"] = self.num_tokens or WORDS
        return self.model_copy(update=result)

    def check_complete(self) -> None:
        """Check that encoder, fingerprint and sizes go together."""
        if not self.frozen and not self.learned:
            raise ConfigError("`text` needs an encoder, or `learned`: choose use, learned or use+learned.")
        if bool(self.frozen) != bool(self.size and self.fingerprint):
            raise ConfigError("A text encoder comes with its `size` and `fingerprint`: make the model with `build`.")
        made = self.token_size or self.learned
        if bool(self.num_tokens) != (TOKENS in self.parts) or (self.num_tokens and not made):
            raise ConfigError("`num_tokens` comes from an encoder or learned words: make the model with `build`.")

    def describe(self) -> list[str]:
        return [f"text ({' + '.join(self.parts)})"]

    @classmethod
    def unsupported(cls, value: Any) -> ConfigError:
        """Name the first prompt."""
        prompt = next((text for text in value if text), "") if isinstance(value, (list, tuple)) else value
        return missing("text", "text", f" (={prompt!r})")
