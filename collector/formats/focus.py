"""FOCUS cost and usage files (1.0 to 1.4), CSV or Parquet: a charge a row, AI services only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from collector.apis.json_shapes import Json
from collector.formats import billing
from collector.formats.format import Facts, NotACallError
from collector.formats.understood import Understood, words
from ledger.types import Bill

KEYS = ("BilledCost", "ChargePeriodStart", "ChargePeriodEnd", "BillingCurrency")
REPORT = "focus"
_CATEGORY = "AI and Machine Learning"
# Versions name who sold it differently; the one who provides the service goes first.
_PROVIDERS = ("ServiceProviderName", "ProviderName", "PublisherName", "InvoiceIssuerName")
_NAMED_BY = (
    "BillingAccountId",
    "BillingPeriodStart",
    "CapacityReservationId",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "CommitmentDiscountId",
    "ConsumedUnit",
    "InvoiceId",
    "PricingCategory",
    "PricingUnit",
    "RegionId",
    "ResourceId",
    "ServiceName",
    "SkuId",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
)
_METERS = {
    "input tokens": "input",
    "cache read input tokens": "cache_read",
    "cache write input tokens": "cache_write",
    "output tokens": "output",
}

FACTS = Facts(
    cache="meters are disjoint as SkuMeter names them",
    identity="every column that says what was charged to whom; equal rows of one file add up",
    times="ChargePeriodStart and ChargePeriodEnd",
    unknown=(
        "single calls",
        "currencies other than USD, which are refused",
        "charges of other services, which are set aside",
    ),
    versions=(
        "1.0",
        "1.1",
        "1.2",
        "1.3",
        "1.4",
    ),
)


def _names(record: Json) -> Iterator[str]:
    """The columns, without a provider's own: the specification gives these an x_."""
    return (name for name in record if not name.startswith("x_"))


UNDERSTANDS = Understood(
    frozenset((*KEYS, *_PROVIDERS, *_NAMED_BY))
    | words(
        """
    AllocatedMethodDetails AllocatedMethodId AllocatedResourceId AllocatedResourceName AllocatedTags
    AvailabilityZone BillingAccountName BillingAccountType BillingPeriodEnd CapacityReservationStatus
    ChargeFrequency CommitmentDiscountCategory CommitmentDiscountName CommitmentDiscountQuantity
    CommitmentDiscountStatus CommitmentDiscountType CommitmentDiscountUnit
    CommitmentProgramEligibilityDetails ConsumedQuantity ContractApplied ContractedCost
    ContractedUnitPrice EffectiveCost HostProviderName InvoiceDetailId ListCost ListUnitPrice
    PricingCurrency PricingCurrencyContractedUnitPrice PricingCurrencyEffectiveCost
    PricingCurrencyListUnitPrice PricingQuantity RegionName ResourceName ResourceType ServiceCategory
    ServiceSubcategory SkuMeter SkuPriceDetails SubAccountType Tags
    """
    ),
    _names,
)


def matches(record: Json) -> bool:
    """Tell a charge by four columns that every version has."""
    return all(key in record for key in KEYS)


def read(record: Json) -> Bill:
    """Read one charge; raises ValueError naming column, value and what was expected."""
    category = billing.text(record, "ServiceCategory")
    if category is not None and category != _CATEGORY:
        raise NotACallError(f"a charge of {category}")
    currency = billing.said(record, "BillingCurrency")
    meter = billing.text(record, "SkuMeter") or "cost"
    unit = billing.text(record, "ConsumedUnit")
    details = _json(billing.said(record, "SkuPriceDetails"))
    return Bill(
        provider=_provider(record),
        report=REPORT,
        period_start=billing.moment(record["ChargePeriodStart"], "ChargePeriodStart"),
        period_end=billing.moment(record["ChargePeriodEnd"], "ChargePeriodEnd"),
        meter=_METERS.get(meter.lower(), meter),
        model=billing.text(details, "ModelId"),
        quantity=billing.decimal(billing.said(record, "ConsumedQuantity"), "ConsumedQuantity"),
        unit="tokens" if unit == "Tokens" else unit,
        cost_usd=billing.usd(billing.said(record, "BilledCost"), currency, "BilledCost"),
        list_cost_usd=billing.usd(billing.said(record, "ListCost"), currency, "ListCost"),
        keys=billing.keys_of(record, _NAMED_BY) | dict(_tags(record)),
        adds=True,
    )


def _provider(record: Json) -> str:
    found = (billing.text(record, name) for name in _PROVIDERS)
    provider = next((name for name in found if name), None)
    if provider is None:
        raise ValueError(f"the charge names no provider: {', '.join(_PROVIDERS)} are all empty")
    return provider


def _tags(record: Json) -> Iterator[tuple[str, str]]:
    tags = _json(billing.said(record, "Tags"))
    for name in tags:
        value = tags[name]
        if isinstance(value, str | int | float):
            yield f"tag.{name}", str(value)


def _json(value: object) -> Mapping[str, object]:
    """An object, as a table holds it: itself, or its text."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return {}
    return value if isinstance(value, Mapping) else {}
