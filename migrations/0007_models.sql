-- How much a model takes: input and output together, in tokens; null: not known.
ALTER TABLE model ADD COLUMN context_tokens bigint;
