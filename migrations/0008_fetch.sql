-- Whether proxies fetch what is at an address, for providers that read none.
ALTER TABLE settings ADD COLUMN fetch_addresses boolean NOT NULL DEFAULT false;
