"""Draw pictures by the library for pages in wasmtime: another compiler of WebAssembly than those of browsers."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from wasmtime import Engine, Instance, Module, Store

from pointillist.distributions.transform import Transform
from pointillist.engine.c.lower import lower
from pointillist.engine.constraints.solver import Constraints as Rules
from pointillist.engine.constraints.solver import to_bits
from pointillist.engine.library import BEST, WEBASSEMBLY
from pointillist.engine.program import Program

PAGE, ALIGN = 65_536, 64


class WasmtimeProgram:
    """A program in the memory of an instance of the library."""

    def __init__(self, program: Program) -> None:
        engine = Engine()
        self.store = Store(engine)
        self.exports = Instance(self.store, Module(engine, WEBASSEMBLY.read_bytes()), []).exports(self.store)
        self.program, self.top = program, self.exports["__heap_base"].value(self.store)
        data = lower(program)
        self.address = self.put(data)
        assert self.call("pt_check", self.address, data.size) == 0
        self.first = self.top

    def call(self, name: str, *arguments: int) -> Any:
        """Call a function of the library."""
        return self.exports[name](self.store, *arguments)

    def reserve(self, size: int) -> int:
        """Reserve bytes."""
        address, memory = -(-self.top // ALIGN) * ALIGN, self.exports["memory"]
        missing = address + size - memory.data_len(self.store)
        if missing > 0:
            memory.grow(self.store, -(-missing // PAGE))
        self.top = address + size
        return address

    def put(self, array: np.ndarray) -> int:
        """Copy an array into the memory."""
        address = self.reserve(max(array.nbytes, 1))
        data = np.ascontiguousarray(array).tobytes()
        ctypes.memmove(self._start() + address, data, len(data))
        return address

    def get(self, address: int, like: np.ndarray) -> np.ndarray:
        """Copy an array out of the memory."""
        data = ctypes.string_at(self._start() + address, like.nbytes)
        return np.frombuffer(data, like.dtype).reshape(like.shape)

    def _start(self) -> int:
        return ctypes.addressof(self.exports["memory"].data_ptr(self.store).contents)

    def sample(self, uniforms: np.ndarray, inputs: dict[str, np.ndarray], transform: Transform) -> np.ndarray:
        """Draw images from uniforms `[n, c, h, w]`; under guidance `inputs` hold the references, too."""
        self.top = self.first
        count, _, height, width = uniforms.shape
        batch = count * (1 + transform.is_guided)
        levels, known = np.zeros(uniforms.shape, np.int64), np.zeros(uniforms.shape, np.uint8)
        pointers = [self.put(inputs[name].astype(np.int32)) for name in self.program.inputs]
        table = self.put(np.array([*pointers, 0], np.uint32))
        workspace = self.reserve(self.call("pt_workspace", self.address, batch, height, width, 0))
        run = self.call("pt_begin", self.address, batch, height, width, 0, 0, table, workspace, BEST)
        places = [self.put(array) for array in (levels, known, uniforms, levels)]
        settings = self.put(np.array([transform.is_guided, *transform.integers], np.int64))
        signal = self.put(np.zeros(2, np.int64))
        self.call("pt_sample", run, *places, 0, 0 if transform.is_identity else settings, signal)
        return self.get(places[0], levels)

    def sample_by_rules(self, uniforms: np.ndarray, inputs: dict[str, np.ndarray], rules: Rules) -> np.ndarray:
        """Draw images of one channel from uniforms `[n, 1, h, w]`, by rules that are laid out as C for 32 bits does."""
        self.top = self.first
        count, _, height, width = uniforms.shape
        bits = to_bits(np.ones((1, height * width, self.program.head.levels), bool))
        adjacency, sets = self.put(to_bits(rules.adjacency)), self.put(to_bits(np.array(rules.sets)))
        words = [1, height, width, self.program.head.levels, 0]
        struct = np.array([*words, self.put(bits) | adjacency << 32, 0, 0, 1, sets, 0, 0], np.int64)
        struct[9] |= self.put(np.array(rules.limits, np.int64)) << 32
        address = self.put(struct)
        memory = self.reserve(self.call("pt_mask_memory", address, count))
        mask = self.call("pt_mask_begin", address, count, memory)
        for image in range(count):
            assert self.call("pt_mask_propagate", mask, image)
        self.call("pt_mask_keep", mask, 0, count)
        pointers = [self.put(inputs[name].astype(np.int32)) for name in self.program.inputs]
        table = self.put(np.array([*pointers, 0], np.uint32))
        workspace = self.reserve(self.call("pt_workspace", self.address, count, height, width, 0))
        run = self.call("pt_begin", self.address, count, height, width, 0, 0, table, workspace, BEST)
        levels, known = np.zeros(uniforms.shape, np.int64), np.zeros(uniforms.shape, np.uint8)
        places = [self.put(array) for array in (levels, known, uniforms, levels)]
        space, signal = self.reserve(self.call("pt_search_memory", run, mask)), self.put(np.zeros(2, np.int64))
        assert self.call("pt_sample_in_mask", run, mask, 0, *places, 0, 0, space, signal)
        return self.get(places[0], levels)
