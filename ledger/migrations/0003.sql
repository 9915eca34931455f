-- A file is found again under another name by its head, an object in a store by its etag.
ALTER TABLE sources ADD COLUMN head BLOB;
ALTER TABLE sources ADD COLUMN etag VARCHAR;

-- Records of a version, or with fields, that their format's reader does not know.
CREATE TABLE newer_records (
    format VARCHAR NOT NULL,
    version VARCHAR,
    fields VARCHAR[] NOT NULL,
    records BIGINT NOT NULL,
    first_seen TIMESTAMP NOT NULL,
    last_seen TIMESTAMP NOT NULL
);

-- Redacted texts of calls, kept only where the configuration asks for it.
CREATE TABLE samples (
    request_id UUID NOT NULL,
    ts TIMESTAMP NOT NULL,
    kept_at TIMESTAMP NOT NULL,
    tenant VARCHAR,
    workflow VARCHAR,
    end_user VARCHAR,
    model VARCHAR,
    prompt VARCHAR NOT NULL,
    answer VARCHAR NOT NULL,
    redacted BIGINT NOT NULL
);

-- Lines of bills by the name of the line; nothing was ever written into the table before.
DROP TABLE bills;
CREATE TABLE bills (
    bill_id BLOB NOT NULL,
    provider VARCHAR NOT NULL,
    report VARCHAR NOT NULL,
    period_start TIMESTAMP NOT NULL,
    period_end TIMESTAMP NOT NULL,
    grouped_by VARCHAR NOT NULL,
    model VARCHAR,
    meter VARCHAR NOT NULL,
    keys MAP(VARCHAR, VARCHAR),
    quantity DECIMAL(38, 12),
    unit VARCHAR,
    cost_usd DECIMAL(38, 12),
    list_cost_usd DECIMAL(38, 12),
    adds BOOLEAN NOT NULL,
    reported_at TIMESTAMP NOT NULL,
    record_digest BLOB NOT NULL,
    source VARCHAR NOT NULL,
    source_file VARCHAR NOT NULL,
    source_line BIGINT NOT NULL,
    ingested_at TIMESTAMP NOT NULL
);
ALTER TABLE ingest_runs ADD COLUMN bills BIGINT;

-- Calls are named as their logs name them, so that other records and the steps above them can be found.
ALTER TABLE requests ADD COLUMN span UUID;
ALTER TABLE requests ADD COLUMN parent_span UUID;
ALTER TABLE requests ADD COLUMN otherwise VARCHAR[];
ALTER TABLE requests ADD COLUMN inherited SMALLINT;
ALTER TABLE record_parts ADD COLUMN span UUID;
ALTER TABLE record_parts ADD COLUMN parent_span UUID;
ALTER TABLE record_parts ADD COLUMN otherwise VARCHAR[];

-- Steps of programs above their calls.
CREATE TABLE spans (
    span UUID NOT NULL,
    parent UUID,
    ts TIMESTAMP NOT NULL,
    ts_estimated BOOLEAN NOT NULL,
    tenant VARCHAR,
    workflow VARCHAR,
    environment VARCHAR,
    end_user VARCHAR
);

-- What people decided about prompt versions; the newest decision holds.
CREATE TABLE prompt_reviews (
    prompt_version VARCHAR NOT NULL,
    verdict VARCHAR NOT NULL,
    reviewer VARCHAR NOT NULL,
    note VARCHAR NOT NULL,
    reviewed_at TIMESTAMP NOT NULL
);
