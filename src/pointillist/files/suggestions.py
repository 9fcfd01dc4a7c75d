"""Suggest our name for a name from another library. Needs no torch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar

from pointillist.errors import Rule, closest

P = ParamSpec("P")
R = TypeVar("R")

_SAMPLE, _TRAIN, _LOAD = "`pt.sample(model, n)`", "`pt.train(model, data)`", "`pt.load(name)`"
_DETECT = "`pt.AnomalyDetector(model).fit(normal).score_samples(images)`"
_SCORE = "`model.log_prob(x)`, or `pt.evaluate(model, data)` for a data set"
_BUILD, _INPAINT = "`pt.build(name, shape=(1, 28, 28))`", "`pt.inpaint(model, image, known)`"
_QUANTIZE = "`pt.quantize_integer(model, data)`"
_PREDICT = "`pt.sample(model, n)` for new images, or `pt.explain(model, image)` for the distribution of each pixel"
_SIZE = "`model.image.shape`"
_DEVICE = "`model.to(device)` before the call"


def _table(*rows: tuple[str, str]) -> dict[str, str]:
    return {name: answer for names, answer in rows for name in names.split()}


NAMES: dict[str, dict[str, str]] = {
    "pt": _table(
        ("detect anomaly anomalies anomaly_score anomalydetection detector score_samples", _DETECT),
        ("generate sampling paint draw sampler", _SAMPLE),
        ("fit train_model trainer finetune fine_tune", _TRAIN),
        ("load_model from_pretrained model automodel load_pretrained pretrained pipeline", _LOAD),
        ("create_model make_model new network pixelcnn gatedpixelcnn pixelrnn pixelsnail pixelcnnpp", _BUILD),
        ("models available_models list_pretrained_models zoo bundled", "`pt.list_pretrained()` or `pt.list_models()`"),
        ("dataset datasets load_dataset read_images imagefolder dataloader", "`pt.load_data(source)`"),
        ("log_prob log_likelihood likelihood nll score bits_per_dim bpd eval test", _SCORE),
        ("quantize quantise quantize_exact quantization", _QUANTIZE),
        ("complete fill inpainting outpaint repair", _INPAINT),
        ("encode zip", "`pt.compress(model, images)`"),
        ("decode unzip", "`pt.decompress(archive)`"),
        ("save save_model", "`model.save_pretrained(folder)`"),
        ("set_seed seed manual_seed", "the keyword `seed`, as in `pt.sample(model, n, seed=0)`"),
        ("saliency attribution explainer", "`pt.explain(model, image)`"),
        ("show plot save_image make_grid grid visualize", "`samples.sheet()` or `samples.save(path)`"),
        ("app gui web", "`pt.Studio(model)`"),
        ("interpolate slerp", "`pt.interpolate_uniforms`"),
    ),
    "model": _table(
        ("sample generate samples sample_images", _SAMPLE),
        ("predict predict_proba", _PREDICT),
        ("summary describe info", "`print(model)`, or `pointillist info MODEL`"),
        ("fit train_model finetune", _TRAIN),
        ("score score_samples nll loss log_likelihood likelihoods bits_per_dim bpd evaluate", _SCORE),
        ("inpaint complete fill", _INPAINT),
        ("compress encode_images", "`pt.compress(model, images)`"),
        ("decompress decode", "`pt.decompress(archive)`"),
        ("detect anomaly_score", _DETECT),
        ("explain saliency", "`pt.explain(model, image)`"),
        ("save save_model", "`model.save_pretrained(folder)`"),
        ("load load_model", _LOAD),
        ("quantize quantise quantize_integer", _QUANTIZE),
        ("num_params n_params count_parameters parameter_count", "`model.num_parameters()`"),
        ("labels class_names label_names", "`model.classes`"),
        ("shape image_size input_shape size resolution image_shape", _SIZE),
        ("levels num_levels n_levels", "`model.image.levels`"),
        ("preprocess normalize tokenize transform", "`model.to_levels(images)`"),
        ("postprocess to_pil", "`model.to_images(levels)`"),
    ),
    "samples": _table(
        ("show display plot grid make_grid image_grid", "`samples.sheet()`, a picture, or `samples.save(path)`"),
        ("save_png save_image write to_png", "`samples.save(path)`"),
        ("pil to_pil to_images imgs pictures", "`samples.images`"),
        ("to_numpy arrays np as_array", "`samples.array`"),
        ("shape size ndim", "`samples.levels.shape`"),
        ("x data tensor tensors pixels samples values cpu", "`samples.levels`"),
        ("log_prob log_probs logprob likelihood scores score nll", "`samples.nats`"),
        ("bpd", "`samples.bits_per_dim`"),
        ("prompts captions prompt text", "`samples.texts`"),
        ("label classes", "`samples.labels`"),
    ),
    "splits": _table(
        ("validation val dev", "`splits.valid`"),
        ("training", "`splits.train`"),
        ("testing", "`splits.test`"),
        ("all images", '`splits.get("all")`'),
        ("spec shape classes labels texts batch", "a split, for example `splits.train`"),
    ),
    "data": _table(
        ("images x levels pixels array data inputs", "`data.batch(range(4)).levels`, or `data[0]` for one image"),
        ("y targets target label", "`data.labels`"),
        ("text captions prompts", "`data.texts`"),
        ("class_names labels_names class_to_idx num_classes", "`data.classes`"),
        ("shape size image", "`data.spec.shape`"),
        ("to_pandas pandas df to_csv table", "`data.files`, `data.labels` and `data.texts`, a value for each image"),
        ("filter select take sample head", "`data.subset(numbers)` or `data[:10]`"),
        (
            "split train_test_split train valid val test",
            "`pt.load_data(source)`, which has `train`, `valid` and `test`",
        ),
    ),
    "evaluation": _table(
        ("nll loss log_prob log_likelihood", "`evaluation.nats`"), ("bpd", "`evaluation.bits_per_dim`")
    ),
}
"""Answers by the usual variable of the object, then by the name that was tried, in lower case."""

KEYWORDS: dict[str, str] = _table(
    ("labels class_label class_labels class_id class_ids category cls y", "label"),
    ("prompt prompts texts caption captions", "text"),
    ("num_samples n_samples num_images n_images num count number nsamples num_images_per_prompt samples", "n"),
    ("cfg cfg_scale guidance_scale scale classifier_free_guidance", "guidance"),
    ("temp tau", "temperature"),
    ("nucleus topp top_k p", "top_p"),
    ("random_state random_seed rng generator manual_seed", "seed"),
    ("image_size resolution height width img_size hw", "size"),
    ("negative negative_text uncond", "negative_prompt"),
    ("bs batch batchsize", "batch_size"),
    ("backend runtime", "engine"),
    ("workers num_workers n_jobs jobs", "threads"),
    ("tile tileable tiling", "seamless"),
    ("callback progress on_step", "on_row"),
    ("image_condition control control_image source", "hint"),
    ("noise latents z", "uniforms"),
    ("num_candidates candidates", "best_of"),
    ("mask", "known"),
)
"""Keywords of this package by keywords of other libraries."""

REMEDIES: dict[str, dict[str, str]] = {
    "sample": _table(
        ("steps num_steps num_inference_steps timesteps", "leave it out: each sub-pixel is drawn once, without steps"),
        ("device", f"use {_DEVICE}"),
        ("out output path filename", "use `samples.save(path)` on the result"),
    ),
    "log_prob": _table(("device", f"use {_DEVICE}")),
    "load_data": _table(
        ("image_size img_size resolution resize", "use `size`"),
        ("batch_size shuffle num_workers", "use `torch.utils.data.DataLoader(splits.train, ...)`"),
        ("split", 'use `splits.get("test")` on the result'),
        ("transform", "use `size`, `levels` and `palette`"),
    ),
    "train": _table(
        (
            "epochs epoch steps num_steps lr learning_rate batch_size out output output_dir optimizer seed preset",
            'put settings into the dictionary `config`, as in `pt.train(model, data, {"steps": 100})`',
        ),
        ("device", f"use {_DEVICE}"),
        ("labels label y valid val validation", "put images, labels and splits into `data`, see `pt.load_data`"),
    ),
    "load": _table(("device map_location device_map", 'use `pt.load(name).to("cuda")`')),
    "build": _table(
        ("num_classes n_classes class_names labels", "use `classes`"),
        ("image image_size input_shape size img_size", "use `shape=(channels, height, width)`"),
        ("num_levels n_levels bits num_colors", "use `levels`"),
        ("hidden hidden_channels dim width filters num_filters", "use `channels`"),
        ("num_layers n_layers depth", "use `layers`"),
    ),
}
"""Remedies of one function that are more than another keyword."""


class UnknownNameError(AttributeError):
    """An attribute does not exist; the message names the one that does what was meant.

    ```python
    UnknownNameError("model", "sample", ())  # `model` has no `sample`: use `pt.sample(model, n)`.
    ```

    Args:
        owner: usual variable of the object, a key of `NAMES`.
        name: the attribute.
        names: attributes that exist, or the type that has them. They are compared when the message is read, so that
            `hasattr` stays fast.
    """

    def __init__(self, owner: str, name: str, names: Iterable[str] | type) -> None:
        super().__init__(owner, name, names)

    def __str__(self) -> str:
        owner, name, names = self.args
        names = dir(names) if isinstance(names, type) else names
        answer = NAMES[owner].get(name.lower())
        near = None if answer else closest(name, names)
        remedy = f"use {answer}" if answer else f"did you mean `{owner}.{near}`?" if near else "see `dir()` of it"
        return f"`{owner}` has no `{name}`: {remedy}{'' if remedy.endswith('?') else '.'}"


class AnsweredNames:
    """Mixin for objects whose unknown attributes are answered with those that exist; see `UnknownNameError`."""

    usual_variable: ClassVar[str]
    """Variable of such an object in examples, a key of `NAMES`."""

    if not TYPE_CHECKING:  # else every attribute would exist for a type checker

        def __getattr__(self, name: str) -> Any:
            """Ask the next class, which knows the parameters of a module."""
            try:
                return super().__getattr__(name)
            except AttributeError:
                if name.startswith("_"):
                    raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}") from None
                raise UnknownNameError(self.usual_variable, name, type(self)) from None


def check_keywords(function: str, keywords: Iterable[str], allowed: Iterable[str]) -> None:
    """Check that a function takes these keywords.

    ```python
    check_keywords("sample", {"labels": 3}, ["label"])  # TypeError: `sample` does not take `labels`: use `label`.
    ```

    Raises:
        TypeError: naming the first that it does not take, and the one that was meant.
    """
    names = tuple(allowed)
    for name in keywords:
        if name not in names:
            raise TypeError(f"`{function}` does not take `{name}`: {remedy(function, name, names)}.")


def remedy(function: str, name: str, names: tuple[str, ...]) -> str:
    """Return the end of a sentence: what to write instead of a keyword that a function does not take.

    ```python
    remedy("sample", "cfg", ("guidance", "seed"))  # "use `guidance`"
    ```
    """
    remedies, lower = REMEDIES.get(function, {}), name.lower()
    if lower in remedies:
        return remedies[lower]
    other = KEYWORDS.get(lower)
    keyword = other if other in names else closest(name, names)
    return f"use `{keyword}`" if keyword else f"it takes {', '.join(f'`{each}`' for each in names)}"


def arguments(**rules: Rule) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a public function whose arguments obey rules.

    ```python
    @arguments(threads=Range(1))
    def compress(model, images, *, threads=1): ...
    ```
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        names = tuple(inspect.signature(function).parameters)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            passed = {**dict(zip(names, args, strict=False)), **kwargs}
            for name in rules.keys() & passed.keys():
                rules[name](name, passed[name])
            return function(*args, **kwargs)

        return call

    return decorate


def checked_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a public function without `**`: an unknown keyword is answered with the one that was meant.

    ```python
    @checked_keywords
    def evaluate(model, data, *, engine="auto"): ...
    ```
    """
    parameters = inspect.signature(function).parameters
    names = tuple(parameters)
    positional = [name for name, parameter in parameters.items() if parameter.kind is not parameter.KEYWORD_ONLY]

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        check_keywords(function.__name__, kwargs, names)
        if len(args) > len(positional):
            raise TypeError(
                f"`{function.__name__}` takes {', '.join(f'`{name}`' for name in positional) or 'nothing'} without "
                f"a name: name the others, {', '.join(f'`{name}`' for name in names[len(positional) :])}."
            )
        return function(*args, **kwargs)

    return call
