"""From rows to a published version: shards, record, manifest, ``latest``; and taking data out of versions again."""
