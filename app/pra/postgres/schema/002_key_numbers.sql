-- Which keys are the newest, whatever becomes of the numbers of events: their sequence may be set
-- back (TRUNCATE … RESTART IDENTITY), and new keys then stood below old ones.
ALTER TABLE idempotency_keys ADD COLUMN number bigint;
UPDATE idempotency_keys AS one SET number = known.number
  FROM (SELECT key, row_number() OVER (ORDER BY ts, event) AS number FROM idempotency_keys) AS known
  WHERE one.key = known.key;
ALTER TABLE idempotency_keys ALTER COLUMN number SET NOT NULL;
ALTER TABLE idempotency_keys ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY;
SELECT setval(pg_get_serial_sequence('idempotency_keys', 'number'), max(number))
  FROM idempotency_keys HAVING max(number) > 0;
CREATE INDEX idempotency_keys_by_number ON idempotency_keys (number);
DROP INDEX idempotency_keys_by_event;
