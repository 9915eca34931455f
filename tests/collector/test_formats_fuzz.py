"""Whatever JSON a log holds, a reader gives a Request or a ValueError with a reason."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.apis import APIS, detect, error, operation, path_model, provider
from collector.formats import FORMATS, follow
from ledger.types import Api, Bill, Request, Span

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "formats"
RECORDS = {
    name: [json.loads(line) for line in (SAMPLES / f"{name}.jsonl").read_text().splitlines()]
    for name in FORMATS
}


def keys_in(value) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for item in value.values() for key in keys_in(item)}
    return {key for item in value for key in keys_in(item)} if isinstance(value, list) else set()


KEYS = sorted(keys_in(list(RECORDS.values())))
WORDS = [
    "function_call",
    "response.output_item.done",
    "tool_result",
    "json_schema",
    "document",
    "data: {}",
    "[1",
]

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(WORDS)
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=4)), inner, max_size=5),
    ),
    max_leaves=15,
)
objects = st.dictionaries(st.sampled_from(KEYS), values, max_size=8)
relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def places(value, found):
    """Collect every (container, key) below a value."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        found.append((value, key))
        places(child, found)
    return found


@st.composite
def damaged(draw, name):
    record = copy.deepcopy(draw(st.sampled_from(RECORDS[name])))
    for _ in range(draw(st.integers(1, 3))):
        container, key = draw(st.sampled_from(places(record, [])))
        container[key] = draw(values)
    return record


def read_or_refuse(name, record):
    FORMATS[name].matches(record)
    try:
        outcome = FORMATS[name].read(record)
    except ValueError as refusal:
        return str(refusal)
    return outcome


@pytest.mark.parametrize("name", FORMATS)
@relaxed
@given(data=st.data())
def test_a_damaged_record_is_read_or_refused_with_a_reason(name, data):
    outcome = read_or_refuse(name, data.draw(damaged(name)))
    assert isinstance(outcome, Request) or outcome


@pytest.mark.parametrize("name", FORMATS)
@relaxed
@given(record=objects)
def test_any_object_is_read_or_refused_with_a_reason(name, record):
    outcome = read_or_refuse(name, record)
    assert isinstance(outcome, Request) or outcome


@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if form.items or form.follow])
@relaxed
@given(data=st.data())
def test_a_damaged_record_of_several_calls_is_read_or_refused_with_a_reason(name, data):
    records = [*RECORDS[name][:4], data.draw(damaged(name)), *RECORDS[name][4:], data.draw(objects)]
    reading, items = follow(name), FORMATS[name].items
    for record in (*records, None) if reading else records:
        found = []
        with suppress(ValueError):
            found = list(reading(record) if reading else items(record))
        for item in found:
            outcome = read_or_refuse(name, item)
            assert isinstance(outcome, Request | Span | Bill) or outcome


@pytest.mark.parametrize("api", Api)
@relaxed
@given(request=objects, response=objects, chunks=st.lists(objects, max_size=4))
def test_any_bodies_are_read_by_every_api(api, request, response, chunks):
    reader = APIS[api]
    reader.prompt(request)
    reader.request_facts(request)
    for whole in (response, reader.assemble(chunks)):
        reader.answer(whole)
        reader.response_facts(whole)
        error(whole)


@relaxed
@given(
    path=st.one_of(st.none(), st.text(max_size=40)),
    request=objects,
    response=values,
    model=st.text(max_size=20),
)
def test_detection_answers_for_anything(path, request, response, model):
    api = detect(path, request, response)
    assert operation(api, path)
    provider(path, api, model)
    path_model(path)


def test_a_record_nested_past_the_stack_is_refused():
    content: object = "deep"
    for _ in range(3000):
        content = [{"type": "tool_result", "content": content}]
    record = {"url_path": "/v1/messages", "request": {"messages": [{"content": content}]}, "response": None}
    with pytest.raises(ValueError, match="nested too deeply"):
        FORMATS["pair"].read(record)
