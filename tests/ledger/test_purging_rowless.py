"""What is known of a person by records without a row is forgotten too."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ledger import closed, store
from ledger.frames import PART
from ledger.posting import post
from ledger.purging import Purge, carry_out

NOW = datetime(2026, 11, 3, tzinfo=UTC)
OCTOBER = (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
PERSON = {"tenant": "acme", "end_user": "hash of a person", "prompt_hash": "hash of a prompt"}
OF_CLOSED = {"id": "late", **PERSON}
LONELY = {"id": "lonely", "id_kind": PART, "span": "00000000-0000-0000-0000-000000000001", **PERSON}


@pytest.mark.parametrize("said", [OF_CLOSED, LONELY], ids=["late for a closed period", "a part alone"])
def test_records_without_a_row_are_purged(ledger_path, records, batch, said):
    with store.open(ledger_path) as ledger:
        closed.close(ledger, *OCTOBER, NOW)
        post(ledger, batch(records(said)), [], NOW)
        assert ledger.rows("SELECT count(*) FROM requests") == [(0,)]
        carry_out(ledger, Purge(NOW, tenant="acme"), NOW)
        assert ledger.rows("SELECT end_user, prompt_hash FROM record_parts") == [(None, None)]
