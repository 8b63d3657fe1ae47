"""Parquet tables between stages, and the cache of vectors, on any fsspec root (a local folder, ``s3://…``).

What is written here can be made again from the store; the store itself is in ``store/``. Import from the modules: the
query path needs ``files`` only, and must not load Daft or Arrow for it.
"""
