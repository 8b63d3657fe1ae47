"""For developers of this project: write the next migration from the difference between models and store."""

import sys

from alembic import command

from feedback_pipeline.settings import get_settings
from feedback_pipeline.store.engine import open_store
from feedback_pipeline.store.migrations import HEAD, alembic_config

if __name__ == "__main__":
    with open_store(get_settings()).engine.begin() as connection:
        next_id = f"{int(HEAD) + 1:04d}"
        command.revision(alembic_config(connection), sys.argv[1], autogenerate=True, rev_id=next_id)
