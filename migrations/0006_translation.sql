-- How much of a request a route lets be adapted for a provider of another dialect. Old
-- routes are as lenient as they were.
ALTER TABLE route ADD COLUMN translation text NOT NULL DEFAULT 'lenient'
    CHECK (translation IN ('lenient', 'strict'));
