"""What a visit to the ledger may take of the machine."""

from __future__ import annotations

from ledger import store
from ledger.resources import Resources

_ASKED = (
    "SELECT current_setting('memory_limit'), current_setting('threads'), current_setting('temp_directory')"
)


def test_what_is_configured_is_in_force(ledger_path, tmp_path):
    wanted = Resources(memory_limit="512MiB", threads=1, temp_directory=tmp_path / "spill")
    with store.open(ledger_path, resources=wanted) as ledger:
        assert ledger.rows(_ASKED) == [("512.0 MiB", 1, str(tmp_path / "spill"))]


def test_without_configuration_memory_is_bounded_and_the_rest_goes_beside_the_ledger(ledger_path):
    with store.open(ledger_path) as ledger:
        ((memory, _, beside),) = ledger.rows(_ASKED)
    number, unit = str(memory).split()
    assert float(number) * {"MiB": 1, "GiB": 1024}[unit] <= 2048
    assert beside == f"{ledger_path}.tmp"


def test_a_read_only_visit_may_spill_too(ledger_path, tmp_path):
    with store.open(ledger_path):
        pass
    tight = Resources(memory_limit="60MiB", threads=1, temp_directory=tmp_path / "spill")
    with store.open(ledger_path, read_only=True, resources=tight) as ledger:
        found = ledger.rows("SELECT count(DISTINCT md5(n::VARCHAR)) FROM range(1_000_000) AS numbers(n)")
    assert found == [(1_000_000,)]
