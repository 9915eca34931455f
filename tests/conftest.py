"""Shared fixtures: the reference data beside the checkout, samples, golden files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Machines differ in speed, and the first load of a vocabulary takes half a second: no example has a deadline.
# CI repeats the same examples, so that a failure there is the change's own.
settings.register_profile("suite", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("suite")

HERE = Path(__file__).resolve().parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite tests/golden from what is made now"
    )


@pytest.fixture(scope="session")
def shared() -> Path:
    folder = HERE.parent.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the shared reference data is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def samples() -> Path:
    return HERE / "samples"


@pytest.fixture
def golden(request: pytest.FixtureRequest):
    """Compare a text with tests/golden/NAME; `--update-golden` rewrites the file instead."""

    def compare(name: str, text: str) -> None:
        path = HERE / "golden" / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"no golden file {name}: run pytest --update-golden and read the diff"
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture
def as_a_new_process() -> Iterator[None]:
    """No count is remembered and no fast counter loaded or doubted, before the test and after it."""
    from collector import fast, tokenizers

    def begin() -> None:
        tokenizers.begin(None)
        tokenizers.forget()
        fast.renew()

    begin()
    yield
    begin()


@pytest.fixture
def learn():
    """Have a ledger know a calibration of text-only calls, as if a refit had learned it."""

    def learned(ledger, model: str, api: str, rules: str, factor: float, intercept: float) -> None:
        ledger.execute(
            "INSERT INTO calibrations BY NAME SELECT 3 AS version, ? AS model, ? AS api, 'text' AS category, "
            "'o200k_base' AS tokenizer, ? AS rules, ? AS factor, ? AS intercept, 1 AS least, "
            "900 AS greatest, 0.01 AS error, 50 AS evidence, now()::TIMESTAMP AS since, since AS until, "
            "since AS fitted_at",
            [model, api, rules, factor, intercept],
        )

    return learned
