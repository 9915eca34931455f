"""A record by itself merges into what it is, so that a row made anew is the row as first booked."""

from __future__ import annotations

import pytest
from polars.testing import assert_frame_equal

from ledger.merge import merge


@pytest.mark.parametrize(
    "said",
    [
        {"count_method": "none", "tokenizer": "o200k_base", "rules": "2026-11", "prompt_hash": "p"},
        {"input_tokens": None, "output_tokens": None, "usage_json": '{"prompt_tokens":null}'},
        {"status": "error", "http_status": 500, "error_type": "overloaded"},
    ],
)
def test_one_record_merges_into_itself(records, said):
    record = records({"id": "a", **said})
    assert_frame_equal(merge(record), record)
