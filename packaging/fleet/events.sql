-- PostgreSQL: events as they come over MQTT, each once. A message that comes twice is the same row.
CREATE TABLE messages (
    message text PRIMARY KEY,
    payload jsonb NOT NULL
);

-- What a consumer does with each payload of <base>/+/+/event ($1):
PREPARE keep (jsonb) AS
INSERT INTO messages VALUES ($1 ->> 'message', $1) ON CONFLICT (message) DO NOTHING;

-- One row for each event that is over.
CREATE VIEW events AS
SELECT
    payload ->> 'id' AS id,
    payload ->> 'node' AS node,
    payload ->> 'source' AS source,
    payload ->> 'label' AS label,
    payload ->> 'bundle' AS bundle,
    (payload ->> 'onset')::timestamptz AS onset,
    (payload ->> 'duration')::real AS duration,
    (payload ->> 'peak')::real AS peak
FROM messages
WHERE payload ->> 'type' = 'end';

-- How often what was heard where, by day.
CREATE VIEW daily AS
SELECT date_trunc('day', onset) AS day, node, label, count(*) AS events, sum(duration) AS seconds
FROM events
GROUP BY 1, 2, 3;
