"""Our packages are plain top-level names, so another distribution could overwrite one: none does."""

from __future__ import annotations

from importlib.metadata import packages_distributions

import pytest


@pytest.mark.parametrize("name", ["ledger", "collector", "analytics", "reports", "alerts", "tollbook"])
def test_a_top_level_package_comes_from_this_distribution_alone(name: str):
    owners = packages_distributions().get(name)
    # An editable install lists no files: its packages are then found by path, and no other may claim them.
    assert owners is None or set(owners) == {"tollbook"}


def test_the_packages_come_from_one_place():
    import alerts
    import analytics
    import collector
    import ledger
    import reports
    import tollbook

    roots = {package.__path__[0].rpartition("/")[0] for package in (alerts, analytics, collector, ledger)}
    assert roots == {package.__path__[0].rpartition("/")[0] for package in (reports, tollbook)}
    assert len(roots) == 1
