"""The compiled engine as an object: stopping, cancelling, threads, memory, weights that change, its cache on disk."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
import torch
from filelock import FileLock
from numba import typeof
from numba.core.codegen import CPUCodeLibrary, JITCPUCodegen
from numpy.typing import NDArray

import pointillist as pt
from pointillist.engine.batch import SampleBatch
from pointillist.engine.cpu import CpuSampler, DrawSpec, jit, numba_linking, precompile
from pointillist.engine.selection import DEVICE_ENGINES
from pointillist.errors import EngineError
from pointillist.model.recorded import record_stage
from pointillist.sampling.engines import WHOLE_IMAGE_ENGINES, create_stepper

SHAPE = (1, 6, 7)


@pytest.fixture
def model() -> pt.PixelModel:
    """Small, in single precision."""
    return pt.build("gated-pixelcnn", shape=SHAPE, levels=5, channels=8, layers=2, classes=3).eval()


@pytest.mark.parametrize("engine", WHOLE_IMAGE_ENGINES)
def test_rows_are_reported_in_order_with_what_is_painted(model: pt.PixelModel, engine: str) -> None:
    """Nothing below the row that is reported, whatever has been painted meanwhile."""
    if engine == "integer":
        pt.quantize_integer(model, torch.zeros(2, *SHAPE, dtype=torch.int64))
    seen: list[tuple[int, torch.Tensor]] = []
    painted = pt.sample(
        model,
        5,
        seed=1,
        engine=engine,
        on_row=lambda done, rows, levels: seen.append((rows, levels.clone())),
        threads=2,
    )
    assert [rows for rows, _ in seen] == list(range(1, 7))
    for rows, levels in seen:
        assert torch.equal(levels[:, :, :rows], painted.levels[:, :, :rows])
        assert not levels[:, :, rows:].any()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupt_stops_all_threads(error: type[BaseException]) -> None:
    """Within a site, not at the end of a long run: an image of 20,000 rows is left unfinished."""
    model = pt.build("pixelcnn", shape=(1, 8, 8), levels=4, channels=16, layers=2).eval()
    height, width = 20_000, 8
    (stage,) = model.stages(height, width)
    program = record_stage(model, stage, model.encode(None, 1), height, width, model.order())
    shape = (4, 1, height, width)
    batch = SampleBatch(np.zeros(shape, np.int64), np.zeros(shape, bool), np.random.random(shape), np.zeros(4))

    def stop(rows: int) -> None:
        raise error("enough")

    threads = threading.active_count()
    sampler = CpuSampler(program, DrawSpec("categorical", model.level_embeddings().numpy(), 1), threads=2)
    with pytest.raises(error, match="enough"):
        sampler.sample(batch, stop)
    assert batch.levels[:, :, 0].any()
    assert not batch.levels[:, :, -1].any()
    assert threading.active_count() == threads


@pytest.mark.parametrize("wrong", ["known", "uniforms", "nats", "params"])
def test_arrays_of_another_shape_are_refused(wrong: str) -> None:
    """Before compiled code writes past their end; parameters come last, as `[n, h, w, p]`."""
    model = pt.build("pixelcnn", shape=(1, 3, 5), levels=4, channels=16, layers=2).eval()
    (stage,) = model.stages(3, 5)
    program = record_stage(model, stage, model.encode(None, 1), 3, 5, model.order())
    shape = (2, 1, 3, 5)
    batch = SampleBatch(
        np.zeros(shape, np.int64), np.zeros(shape, bool), np.random.random(shape), np.zeros(2),
        np.zeros((2, 3, 5, 4), program.dtype),
    )  # fmt: skip
    sampler = CpuSampler(program, DrawSpec("categorical", model.level_embeddings().numpy(), 1))
    sampler.sample(batch)
    assert batch.params is not None
    assert batch.params.any(axis=-1).all()
    setattr(batch, wrong, np.moveaxis(getattr(batch, wrong)[..., None], -2, 0).copy())
    with pytest.raises(ValueError, match=f"`{wrong}` .* must have the shape"):
        sampler.sample(batch)


@pytest.mark.parametrize("engine", DEVICE_ENGINES)
def test_what_is_painted_row_by_row_stops_at_once(model: pt.PixelModel, engine: str) -> None:
    """At the row that was reported, with what is known of it."""

    def stop(done: int, rows: int, levels: torch.Tensor) -> None:
        if rows == 2:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        pt.sample(model, 2, seed=0, engine=engine, on_row=stop)


def test_two_models_paint_at_once() -> None:
    """Engines share nothing but code."""
    models = [pt.build(n, shape=(1, 9, 9), levels=4, channels=8, layers=2).eval() for n in ("pixelcnn", "row-lstm")]
    alone = [pt.sample(m, 3, seed=5, engine="cpu").levels for m in models]
    found: dict[tuple[int, int], torch.Tensor] = {}

    def work(index: int, turn: int) -> None:
        found[index, turn] = pt.sample(models[index], 3, seed=5, engine="cpu").levels

    workers = [threading.Thread(target=work, args=(i % 2, i)) for i in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 6
    for (index, _), levels in found.items():
        assert torch.equal(levels, alone[index])


@pytest.mark.parametrize("engine", ["cpu", "cuda", "numpy"])
def test_changed_weights_are_noticed(model: pt.PixelModel, engine: str) -> None:
    """At the next row, however they were changed."""

    def step_through(change: Any) -> None:
        with torch.no_grad():
            stepper = create_stepper(model, model.encode(None, 2), 2, 2, 3, engine)
            for site in range(6):
                if site == 1:
                    change()
                stepper.params()
                stepper.observe(np.zeros((2, 1), np.float32))

    step_through(lambda: None)
    first = next(model.parameters())
    state = {k: v.clone() for k, v in model.state_dict().items()}
    changes = [
        lambda: first.mul_(1.5),
        lambda: model.load_state_dict(state),
        lambda: setattr(first, "data", first.data + 1),
    ]
    for change in changes:
        with pytest.raises(EngineError, match=r"weights of the model have changed.*open a new engine"):
            step_through(change)


@pytest.mark.parametrize("engine", ["cpu", "cuda", "numpy"])
def test_what_does_not_fit_is_refused(model: pt.PixelModel, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sentence, before memory is taken."""
    monkeypatch.setattr("pointillist.system.FEW_BYTES", 0)
    monkeypatch.setattr("pointillist.system.available_bytes", lambda: 60_000)  # 64 images and their uniforms fit
    with pytest.raises(
        EngineError, match=r"Sampling 64 images of 6x7 would take 0\.\d\d MiB.*what would fit: `batch_size=\d+`"
    ):
        pt.sample(model, 64, seed=0, engine=engine)


def twice(x: NDArray[np.float64]) -> float:
    """A function to compile."""
    return 2 * x[0]


def compiled(x: float) -> float:
    """Compiled as the virtual machine is."""
    result: float = jit.CachedJit(twice, typed_by=0)(np.array([x], np.float64))
    return result


def test_compiled_code_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path)
    assert compiled(3) == 6
    assert list(tmp_path.rglob("*.nbc"))
    again = jit.CachedJit(twice, typed_by=0)
    assert again(np.array([4.0])) == 8
    assert again._compiled.stats.cache_hits  # type: ignore[attr-defined]  # of numba


def test_one_process_compiles_while_others_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And none waits for ever."""
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path)
    with FileLock(tmp_path / "twice.lock"):
        other = threading.Thread(target=lambda: compiled(3))
        other.start()
        other.join(0.3)
        assert other.is_alive()
        assert not list(tmp_path.rglob("*.nbc"))
    other.join()
    assert list(tmp_path.rglob("*.nbc"))
    monkeypatch.setattr(jit, "LONGEST_WAIT", 0.01)
    with FileLock(tmp_path / "twice.lock"):
        assert compiled(3) == 6


def test_a_damaged_cache_is_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Any file of it, cut or overwritten: the next process finds it whole."""
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path)
    compiled(3)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.nb?")}
    assert len(files) == 2
    for damaged, content in files.items():
        for wrong in (content[: len(content) // 2], b"", b"not a pickle"):
            for path, right in files.items():
                path.write_bytes(wrong if path == damaged else right)
            assert compiled(5) == 10
            repaired = jit.CachedJit(twice, typed_by=0)
            assert repaired(np.array([4.0])) == 8
            assert repaired._compiled.stats.cache_hits  # type: ignore[attr-defined]  # of numba
    assert "is damaged" in caplog.text
    assert "compiles it anew" not in caplog.text


def test_a_folder_that_cannot_be_written_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(jit, "cache_folder", lambda: tmp_path / "file" / "cache")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    assert compiled(3) == 6
    monkeypatch.setattr(jit, "_kept_on_disk", fail)
    assert compiled(3) == 6
    assert "no locator available" in caplog.text


def fail(function: Any) -> Any:
    """What numba does where no folder at all can be written."""
    raise RuntimeError("cannot cache function 'twice': no locator available for file 'f.py'")


def test_a_change_of_any_source_file_has_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """numba itself would go on with old code when only a called function has changed."""
    sources = tmp_path / "cpu"
    sources.mkdir()
    for path in Path(jit.__file__).parent.glob("*.py"):
        (sources / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(jit, "__file__", str(sources / "jit.py"))
    before = jit.cache_folder()
    assert jit.cache_folder() == before
    with (sources / "tiles.py").open("a") as file:
        file.write("# changed\n")
    assert jit.cache_folder() != before


@pytest.fixture
def argument_types(monkeypatch: pytest.MonkeyPatch) -> set[tuple[Any, ...]]:
    """The types of arguments that `sample_images` is called with from now on."""
    from pointillist.engine.cpu import sampler as module

    types: set[tuple[Any, ...]] = set()
    sample_images = module.sample_images

    def noted(*arguments: Any) -> None:
        types.add(tuple(typeof(argument) for argument in arguments))
        sample_images(*arguments)

    monkeypatch.setattr(module, "sample_images", noted)
    return types


def test_every_batch_is_of_one_type(model: pt.PixelModel, argument_types: set[Any]) -> None:
    """Compiled code is compiled once for each type of its arguments: one image must not wait for that again."""
    for count in (1, 2, 5):
        for settings in ({}, {"label": 1, "guidance": 2.0}, {"temperature": 0.5}):
            pt.sample(model, count, seed=0, engine="cpu", **settings)
    pt.sample(model, 3, seed=0, engine="cpu", threads=2)
    assert len(argument_types) == 1


def test_only_releases_of_numba_that_were_tried_are_reached_into() -> None:
    """Others compile as they always do."""
    assert all(map(numba_linking.known_numba, ("0.64.0", "0.68.1")))
    assert not any(map(numba_linking.known_numba, ("0.63.1", "0.69.0rc1", "1.0.0")))


def test_numba_is_as_it_was_after_compiling() -> None:
    """Also after an error; meanwhile another thread compiles, and gets machine code."""
    found: list[int] = []

    def compiles() -> None:
        thread = threading.Thread(target=lambda: found.append(numba.njit(lambda x: x + 1)(4)))
        with numba_linking.link_only("sample_images"):
            thread.start()
            thread.join()
            raise KeyError

    before = [CPUCodeLibrary._optimize_final_module, CPUCodeLibrary._finalize_final_module, JITCPUCodegen.set_env]
    with pytest.raises(KeyError):
        compiles()
    assert found == [5]
    after = [CPUCodeLibrary._optimize_final_module, CPUCodeLibrary._finalize_final_module, JITCPUCodegen.set_env]
    assert after == before


def test_what_is_compiled_ahead_is_what_paints(model: pt.PixelModel, argument_types: set[Any]) -> None:
    """The arguments have the types of a later call."""
    precompile.sample_one_pixel()
    pt.sample(model, 2, seed=0, engine="cpu")
    assert len(argument_types) == 1


def test_another_process_compiles_ahead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only if nothing is kept; a failure to start a process is silent."""
    started: list[list[str]] = []

    def start(command: list[str], **_: Any) -> None:
        started.append(command)
        raise OSError

    monkeypatch.setattr(precompile.subprocess, "Popen", start)
    monkeypatch.setattr(precompile, "cache_folder", lambda: tmp_path)
    precompile.precompile_in_background()
    assert [command[1:] for command in started] == [["-m", precompile.__name__]]
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "sample_loop.sample_images-61.py311.nbi").touch()
    precompile.precompile_in_background()
    assert len(started) == 1
