"""Training with conditions: what is hidden and when, and fine-tuning from a model that listens to something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.conditioning import ConditionInputs, MaskedValue
from pointillist.conditioning.hint import hint_rule
from pointillist.data import Annotations, Batch
from pointillist.model.batches import dataset_conditions
from pointillist.model.finetune import initialise_from
from pointillist.training.augmentation import drop_conditions, shift_batch
from pointillist.training.config import ConditionDropoutConfig
from tests.datasets import dataset_of
from tests.equality import equal
from tests.laws.strategies import random_inputs, randomise_weights
from tests.tolerances import network_rounding


def told(count: int) -> ConditionInputs:
    known = np.ones(count, bool)
    return ConditionInputs(count, {
        "label": MaskedValue(np.zeros(count, np.int64), known),
        "attributes": MaskedValue(np.zeros((count, 2), np.int64), known[:, None].repeat(2, 1)),
        "hint": MaskedValue(np.zeros((count, 1, 2, 2), np.float32), np.ones((count, 1, 2, 2), bool)),
    })  # fmt: skip


def test_conditions_are_hidden_by_themselves_and_all_at_once() -> None:
    """Shares as asked, within four deviations; independent of one another but for the draws of "unconditional"."""
    count = 4000
    dropout = ConditionDropoutConfig(label=0.3, other=0.2, unconditional=0.1)
    found = drop_conditions(told(count), np.arange(count), 1, dropout).parts
    label, attributes = ~found["label"].known, ~found["attributes"].known
    hint = ~found["hint"].known.reshape(count, -1)
    assert equal(hint.all(1), hint.any(1))  # a hint as a whole
    every = [label, attributes[:, 0], attributes[:, 1], hint[:, 0]]
    for hidden, alone in zip(every, (0.3, 0.2, 0.2, 0.2), strict=True):
        share = 0.1 + 0.9 * alone
        assert abs(hidden.mean() - share) < 4 * (share * (1 - share) / count) ** 0.5
    together = 0.1 + 0.9 * 0.3 * 0.2**3
    assert abs(np.stack(every).all(0).mean() - together) < 4 * (together / count) ** 0.5


def test_what_is_hidden_depends_on_seed_and_image() -> None:
    """Not on the batch."""
    dropout = ConditionDropoutConfig(label=0.5, other=0.5)
    whole = drop_conditions(told(50), np.arange(50), 7, dropout)
    part = drop_conditions(told(50)[20:30], np.arange(20, 30), 7, dropout)
    for name, found in part.parts.items():
        assert equal(found.known, whole.parts[name].known[20:30])
    again = drop_conditions(told(50), np.arange(50), 8, dropout)
    assert not equal(again.parts["label"].known, whole.parts["label"].known)


def test_hints_move_with_their_images() -> None:
    """A shift is drawn once; a hint that is made of the image is made of the moved one."""
    x = np.random.default_rng(0).integers(1, 9, (6, 1, 4, 5))
    moved = shift_batch(Batch(x, hints=x.astype(np.float32)), np.arange(6), 3, 2)
    assert moved.hints is not None
    assert equal(moved.hints, moved.levels)
    assert not equal(moved.levels, x)
    model = pt.build("pixelcnn", shape=(1, 4, 5), levels=9, channels=3, layers=1, hint="lowres:2")
    telling = dataset_conditions(model, dataset_of(x[:, 0].astype(np.uint8), options=pt.DataOptions(levels=9)))
    found = telling.from_batch(moved).parts["hint"]
    assert equal(found.values, hint_rule(model.conditions.hint_reader).of(moved.levels, model.image))


def test_a_data_set_of_another_kind_is_refused() -> None:
    """A vector of another size, values and hints that the model does not know."""
    model = pt.build(
        "pixelcnn", shape=(1, 2, 2), levels=4, channels=3, layers=1, attributes={"hair": ["red"]}, vector=2, hint=1
    )
    x = np.zeros((3, 2, 2), np.uint8)
    for columns, words in (
        (Annotations(vectors=np.zeros((3, 5), np.float32)), "have 5 numbers, and the model takes 2"),
        (Annotations({"hair": np.zeros(3, np.int64)}, {"hair": ("grey",)}), "hair 'grey'"),
        (Annotations(hints=np.zeros((3, 2, 2, 2), np.float32)), "2 channel"),
    ):
        data = dataset_of(x, columns=columns, options=pt.DataOptions(levels=4))
        with pytest.raises(pt.ConfigError, match=words):
            pt.evaluate(model, data)


def test_columns_are_matched_by_name() -> None:
    """The data set's numbers are not the model's."""
    model = pt.build(
        "pixelcnn", shape=(1, 2, 2), levels=4, channels=3, layers=1, attributes={"a": 2, "hair": ["x", "red"]}
    )
    columns = Annotations({"hair": np.array([0, -1, 0])}, {"hair": ("red",)})
    data = dataset_of(np.zeros((3, 2, 2), np.uint8), columns=columns, options=pt.DataOptions(levels=4))
    found = dataset_conditions(model, data).from_batch(data.batch(np.arange(3))).parts["attributes"]
    assert found.known.tolist() == [[False, True], [False, False], [False, True]]
    assert found.values[found.known].tolist() == [1, 1]


@pytest.mark.parametrize("kind", ["gated-pixelcnn", "pixelcnn-pp"])
def test_a_new_condition_starts_without_effect(kind: str) -> None:
    """Fine-tuned from an unconditional model, or from one with labels, a model paints as that one until trained."""
    shape = {"shape": (1, 4, 3), "levels": 5, "channels": 6, "layers": 1}
    x = torch.randint(0, 5, (3, 1, 4, 3))
    plain = randomise_weights(pt.build(kind, **shape), 0.3).eval()
    rich = pt.build(kind, **shape, classes=["b", "c"], vector=2, hint="lowres:2", position_channels=2).eval()
    notes = initialise_from(rich, plain)
    expected = plain.log_prob(x)
    within = network_rounding(rich, expected)
    torch.testing.assert_close(rich(x, random_inputs(rich, 3)), expected, rtol=0, atol=within)
    assert any("new weights" in note for note in notes)
    labelled = randomise_weights(pt.build(kind, **shape, classes=["a", "b"]), 0.3).eval()
    initialise_from(rich, labelled)
    told = random_inputs(rich, 3).dropped({"label": np.ones(3, bool)})
    none, within = labelled.log_prob(x), network_rounding(rich, labelled.log_prob(x))
    torch.testing.assert_close(rich(x, told), none, rtol=0, atol=within)
    torch.testing.assert_close(rich.log_prob(x, "b"), labelled.log_prob(x, "b"), rtol=0, atol=within)
    torch.testing.assert_close(rich.log_prob(x, "c"), none, rtol=0, atol=within)  # a new class starts as none


def test_what_settings_say_of_conditions_is_kept_or_refused(tmp_path: Path) -> None:
    """Names of classes for labels that are numbers; a model has no others, and no other vector than the images."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 2, (12, 4, 4)), np.arange(12) % 3
    np.savez(tmp_path / "data.npz", x_train=images.astype(np.uint8), y_train=labels, v_train=rng.random((12, 2)))

    def run(conditions: dict[str, Any], **data: Any) -> pt.PixelModel:
        network = {"channels": 4, "layers": 1, "head_channels": 4}
        train = {
            "steps": 1,
            "batch_size": 4,
            "machine.threads": 1,
            "out": tmp_path / f"{len(list(tmp_path.iterdir()))}",
        }
        section = {"order_channels": 4, "network": network, "conditions": conditions}
        source = {"source": str(tmp_path / "data.npz"), "mode": "codes", "valid_fraction": 0.25, **data}
        return pt.train_from_config(model=section, data=source, train=train).model

    named = run({"label": {"classes": ["cat", "dog", "owl"], "width": 4}})
    assert named.classes == ("cat", "dog", "owl")
    assert run({"label": {"width": 4}}).classes == ("0", "1", "2")
    with pytest.raises(pt.DataError, match=r"A label of .* is 2, but there are 2 class names"):
        run({"label": {"classes": ["cat", "dog"]}})
    assert run({"vector": {"size": 2}}, vector_column="v").config.conditions["vector"].size == 2
    with pytest.raises(
        pt.ConfigError, match=r"`model.conditions.vector.size` \(=3\) does not fit the images, which have 2"
    ):
        run({"vector": {"size": 3}}, vector_column="v")
