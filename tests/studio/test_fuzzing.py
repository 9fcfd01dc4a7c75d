"""The HTTP interface, fuzzed from its own description: no internal error, and every response as described.

Two runs: requests as the description allows and forbids them, most of which the rules of a model refuse; and the same
with arrays, positions and labels that fit the model, which reach the sampler and the network with everything else odd.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from schemathesis import Case, GenerationMode
from schemathesis.config import ChecksConfig, GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.python.asgi import HOST
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pointillist.studio import schemas
from pointillist.studio.http.app import create_app
from pointillist.studio.service import StudioService
from tests.studio import helpers
from tests.studio.helpers import encoded

LIMITS = helpers.SMALL.model_copy(update={"pixels": 48, "timeout": 60.0})
# 503 is what a model that is not ready answers, and here all are
CHECKS = [
    status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance,
    negative_data_rejection, allow_header_conformance,
]  # fmt: skip
REQUESTS = int(os.environ.get("POINTILLIST_REQUESTS", "15"))
SEEDED = GenerationConfig(deterministic=True, database="none", no_shrink=True)
EVENTS: TypeAdapter[Any] = TypeAdapter(schemas.Event)


def always_up(app: Any) -> Any:
    """The application, which is not started and ended with each request."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for _ in range(2):
            await send({"type": f"{(await receive())['type']}.complete"})

    return answer


def application(service: StudioService) -> Any:
    return always_up(create_app(service, frozenset({HOST})))


# 413 rejects too: a body may be wrong and too large
REJECTED = ChecksConfig.from_dict({"negative_data_rejection": {"expected-statuses": ["4xx"]}})
CONFIG = SchemathesisConfig(projects=ProjectsConfig(default=ProjectConfig(generation=SEEDED, checks=REJECTED)))
SCHEMA = schemathesis.openapi.from_asgi("/api/openapi.json", application(StudioService([], LIMITS)), config=CONFIG)
ADDRESSES = [(path, method) for path, ways in SCHEMA.raw_schema["paths"].items() for method in ways]
every_address = pytest.mark.parametrize(("path", "method"), ADDRESSES, ids=lambda part: part)


@pytest.fixture(scope="module")
def small_service() -> Iterator[StudioService]:
    found = helpers.service(helpers.labelled(), helpers.grey(), helpers.coloured(), helpers.upscaler(), limits=LIMITS)
    assert [info.error for info in found.models.infos()] == [None] * 4
    yield found
    found.close()


def cases(path: str, method: str) -> st.SearchStrategy[Case]:
    """Requests to an address: as its description allows, and as it forbids."""
    return st.one_of(SCHEMA[path][method].as_strategy(generation_mode=mode) for mode in GenerationMode)


def number_of(case: Case) -> int:
    """A number that belongs to the case, for choices that repeat."""
    return zlib.crc32(repr((case.path, case.path_parameters, case.query, case.body)).encode("utf-8", "replace"))


def check(case: Case, app: Any) -> None:
    """Send it, and check the answer; the events of a stream too."""
    answer = case.call(app=app)
    assert answer.status_code < 500, answer.text
    case.validate_response(answer, checks=CHECKS)
    if answer.status_code == 200 and case.path.endswith("/sample"):
        found = [EVENTS.validate_json(line).root for line in answer.content.splitlines()]
        assert [event.type for event in found[:1]] == ["queued"]
        # whether a variation can be has to be computed, so its refusal is an event
        impossible = found[-1].type == "failed" and "never paints there" in found[-1].error
        assert found[-1].type == "finished" or (impossible and found[-1].code == "invalid"), found[-1]


def aimed(case: Case, service: StudioService) -> str | None:
    """Point the case at one of the models, most of the time."""
    names = [*service.models.entries, None]
    name = names[number_of(case) % len(names)]
    if name is not None and "model" in case.path_parameters:
        case.path_parameters["model"] = name
    return name


def supported_conditions(service: StudioService, model: str) -> set[str]:
    """Names of the conditions that a model supports."""
    details = service.models[model].info.details
    assert details is not None
    found = details.conditions.model_dump()
    found["label"] = found.pop("labels")
    return {name for name, value in found.items() if value}


def complete(manifest: dict[str, Any]) -> dict[str, Any]:
    """A consistent manifest: a seed and a hash for each sample."""
    request = manifest.get("request")
    if isinstance(request, dict) and isinstance(request.get("samples"), list):
        samples = [{**c, "seed": c.get("seed") or 0} if isinstance(c, dict) else c for c in request["samples"]]
        return {**manifest, "request": {**request, "samples": samples}, "sha256": ["0" * 64] * len(samples)}
    return manifest


def fitted(value: Any, service: StudioService, model: str, key: str = "") -> Any:
    """The value, with arrays, positions and labels that the model takes."""
    spec = service.models[model].model.image
    if isinstance(value, dict) and {"dtype", "shape", "data"} <= set(value):
        if key == "known":
            return encoded(np.arange(spec.height * spec.width).reshape(spec.height, spec.width) % 3 == 0)
        if key == "hint":
            return encoded(np.arange(4).reshape(1, 2, 2))
        return encoded(np.arange(np.prod(spec.shape)).reshape(spec.shape) % spec.levels)
    if isinstance(value, dict) and key == "others":
        return {"vector": [len(value), 0.5]} if "others" in supported_conditions(service, model) else {}
    if isinstance(value, dict):
        supported = supported_conditions(service, model) if key == "conditions" else set(value)
        taken = {name: one for name, one in value.items() if name in supported}
        found = {name: fitted(one, service, model, name) for name, one in taken.items()}
        return complete(found) if key == "manifest" else found
    if isinstance(value, list) and key == "size":
        return [spec.height, spec.width]
    if isinstance(value, list):
        return [fitted(one, service, model, key) for one in value]
    most = {"row": 4, "column": 4, "channel": spec.channels, "level": spec.levels, "label": 3, "scale": 8}.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and most is not None:
        return value % most
    if key == "order" and isinstance(value, str):
        return service.models[model].model.config.orders[0]
    return value


def wild(case: Case, service: StudioService) -> None:
    """As it was made."""
    aimed(case, service)


def likely(case: Case, service: StudioService) -> None:
    """With what fits a model in its place."""
    name = aimed(case, service)
    if name is not None and isinstance(case.body, dict):
        case.body = fitted(case.body, service, name)


def fuzz(
    path: str, method: str, service: StudioService, examples: int, *ways: Callable[[Case, StudioService], None]
) -> None:
    """So many requests, the same at every run."""
    app = application(service)

    @settings(max_examples=examples, derandomize=True, deadline=None)
    @given(cases(path, method))
    def run(case: Case) -> None:
        ways[number_of(case) % len(ways)](case, service)
        check(case, app)

    run()


@pytest.mark.one_in(3)
@every_address
def test_any_request_is_answered_as_described(path: str, method: str, small_service: StudioService) -> None:
    """`POINTILLIST_REQUESTS` for each address: few, or hours of a curious stranger, in minutes."""
    fuzz(path, method, small_service, REQUESTS, wild, likely, likely)
