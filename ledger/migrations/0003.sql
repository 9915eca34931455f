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
