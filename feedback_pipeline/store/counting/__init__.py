"""Counting what the store holds, for people who want to know how well the loop works.

Everything is added up by the database: what comes out is counts, times without ids and, of what is repeated or used
most, its question in safe form. ``scope`` says what is counted, the other modules count: ``statuses`` (what happened
to feedback), ``passages`` (how long it took), ``people`` (who gave it, who decided), ``uses`` (what it was good for),
``outcomes`` (how answers with and without an example were judged), ``mistakes`` (what was taught, and what a model
still got wrong).
"""
