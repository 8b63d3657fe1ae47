"""What has been published: the LanceDB table, its tags and the note each publication left.

Light enough for the query path: LanceDB is imported when a table is opened, not before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from feedback_pipeline.tables.files import filesystem, read_json, write_json

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb.db import DBConnection
    from lancedb.table import Table

TABLE = "examples"
LIVE = "live"
_PUBLISHED = re.compile(r"v(\d+)")


class IndexNotFoundError(LookupError):
    """Nothing has been published yet, or the index cannot be read."""


class UnknownPublicationError(LookupError):
    """There is no publication with that number."""


@dataclass(frozen=True)
class Publication:
    """One published state of the index.

    Attributes:
        version: number of the publication, counted from 1.
        table_version: LanceDB's version of the table that holds it.
        rows: number of examples.
        digest: SHA-256 over the examples' contents and the model's fingerprint, without vectors.
        model_fingerprint: the embedding model all vectors were made with.
        dimension: components of a vector.
        values_digest: SHA-256 of the dictionary of values published with it, if there is one.

    """

    version: int
    table_version: int
    rows: int
    digest: str
    model_fingerprint: str
    dimension: int
    values_digest: str | None = None


_NOTED = tuple(field.name for field in fields(Publication))


@dataclass(frozen=True)
class DatabaseContent:
    """How many examples of one database are published, and a SHA-256 that is equal for equal content and model."""

    rows: int
    digest: str


@dataclass(frozen=True)
class RevokedPublication:
    """A publication whose rows were removed for good; only its note is left."""

    publication: Publication
    reason: str


class IndexCatalog:
    """The index below one storage root, and the tags on it."""

    def __init__(self, root: str):
        self.root = root.rstrip("/")
        self._connection: DBConnection | None = None

    def connect(self) -> DBConnection:
        """Return the LanceDB connection, opened on first use."""
        if self._connection is None:
            import lancedb

            self._connection = lancedb.connect(f"{self.root}/index")
        return self._connection

    def exists(self) -> bool:
        """Tell whether the table has ever been written, without importing LanceDB."""
        fs, inner = filesystem(f"{self.root}/index/{TABLE}.lance")
        return fs.exists(inner)

    def open_table(self) -> Table:
        """Open the table at its newest version, published or not.

        Raises:
            IndexNotFoundError: there is none, or it is damaged.

        """
        if not self.exists():
            raise IndexNotFoundError(
                f"no example index under {self.root}; 'feedback-pipeline run' builds and publishes one"
            )
        try:
            return self.connect().open_table(TABLE)
        except (ValueError, RuntimeError, OSError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> IndexNotFoundError:
        return IndexNotFoundError(
            f"the example index under {self.root}/index cannot be read ({error}); restore it from a backup, or "
            "delete the folder and run 'feedback-pipeline run' to build it again"
        )

    def read_rows(self, table: Table, database_id: str) -> pa.Table:
        """Return all rows of one database.

        Raises:
            IndexNotFoundError: the table is damaged.

        """
        literal = database_id.replace("'", "''")
        try:
            return table.search().where(f"database_id = '{literal}'").limit(None).to_arrow()
        except (RuntimeError, ValueError, OSError) as error:
            raise self._damaged(error) from error

    def live_table_version(self, table: Table) -> int:
        """Return the LanceDB version that ``live`` points at.

        Raises:
            IndexNotFoundError: nothing has been published yet.

        """
        try:
            return table.tags.get_version(LIVE)
        except (RuntimeError, ValueError, OSError) as error:
            raise IndexNotFoundError(
                f"the example index under {self.root} has no live publication; run 'feedback-pipeline run'"
            ) from error

    def live(self) -> Publication | None:
        """Return the publication that readers see, or None."""
        try:
            table = self.open_table()
            return self.of_table_version(self.live_table_version(table))
        except IndexNotFoundError:
            return None

    def publications(self) -> list[Publication]:
        """Return all publications that can still be made live, oldest first."""
        if not self.exists():
            return []
        tags = self.open_table().tags.list()
        versions = [tag["version"] for name, tag in tags.items() if _PUBLISHED.fullmatch(name)]
        return sorted((self.of_table_version(version) for version in versions), key=lambda p: p.version)

    def revoked(self) -> list[RevokedPublication]:
        """Return the publications that were removed for good, oldest first."""
        notes = (read_json(path) or {} for _, path in self.notes())
        found = [
            RevokedPublication(
                Publication(**{name: note[name] for name in _NOTED if name in note}), note["revoked"]["reason"]
            )
            for note in notes
            if "revoked" in note
        ]
        return sorted(found, key=lambda revoked: revoked.publication.version)

    def next_version(self) -> int:
        """Return the number of the next publication; one that was revoked is never given again."""
        known = [*self.publications(), *(revoked.publication for revoked in self.revoked())]
        return max((publication.version for publication in known), default=0) + 1

    def of_table_version(self, table_version: int) -> Publication:
        """Return the note left with the publication of a LanceDB version.

        Raises:
            IndexNotFoundError: the note is gone or damaged: the folder was copied in part.

        """
        try:
            return Publication(**(read_json(self._note_path(table_version)) or {}))
        except (TypeError, ValueError, OSError) as error:
            raise IndexNotFoundError(
                f"{self._note_path(table_version)} is missing or damaged, so the index was copied in part; copy it "
                "whole, or delete the index folder and run 'feedback-pipeline run'"
            ) from error

    def open_publication(self, publication: Publication) -> Table:
        """Open the table as it was published, whatever is written later.

        Raises:
            IndexNotFoundError: there is none, or it is damaged.

        """
        table = self.open_table()
        try:
            table.checkout(publication.table_version)
        except (RuntimeError, ValueError, OSError) as error:
            raise self._damaged(error) from error
        return table

    def note(self, publication: Publication) -> None:
        """Leave the note of a publication, before any tag points at it."""
        write_json(self._note_path(publication.table_version), asdict(publication))

    def note_databases(self, publication: Publication, contents: Mapping[str, DatabaseContent]) -> None:
        """Leave beside the notes what each database holds; publications of equal content share it."""
        document = {name: [content.rows, content.digest] for name, content in contents.items()}
        write_json(self._databases_path(publication), document)

    def databases(self, publication: Publication) -> dict[str, DatabaseContent]:
        """Return what each database holds in a publication, without looking into the table.

        A publication of an earlier release, or one copied in part, tells of none.
        """
        try:
            noted = read_json(self._databases_path(publication)) or {}
            return {name: DatabaseContent(int(rows), str(digest)) for name, (rows, digest) in noted.items()}
        except (TypeError, ValueError, AttributeError, OSError):
            return {}

    def sweep_databases(self, present: Iterable[Publication]) -> None:
        """Remove what no publication of ``present`` tells of its databases."""
        needed = {f"{publication.digest}.json" for publication in present}
        for path in _files(f"{self.root}/index/databases"):
            if path.rsplit("/", 1)[-1] not in needed:
                filesystem(path)[0].rm_file(path)

    def notes(self) -> list[tuple[int, str]]:
        """Return (LanceDB version, path) of every note left, those of revoked publications too."""
        paths = _files(f"{self.root}/index/publications")
        return [
            (int(name), path) for path in paths if (name := path.rsplit("/", 1)[-1].removesuffix(".json")).isdigit()
        ]

    def published_at(self, publication: Publication) -> datetime | None:
        """Return when the note of a publication was left, or None where the storage does not say."""
        fs, inner = filesystem(self._note_path(publication.table_version))
        try:
            written = fs.modified(inner)
        except (OSError, NotImplementedError):
            return None
        return written if written.tzinfo else written.replace(tzinfo=UTC)

    def revoke(self, publication: Publication, reason: str) -> None:
        """Let the note of a publication say that it is gone for good, and why."""
        write_json(self._note_path(publication.table_version), {**asdict(publication), "revoked": {"reason": reason}})

    def make_live(self, table: Table, table_version: int) -> None:
        """Move the tag ``live``: the one step that readers see."""
        move = table.tags.update if LIVE in table.tags.list() else table.tags.create
        move(LIVE, table_version)

    def rollback(self, version: int) -> Publication:
        """Make an earlier publication live again.

        Raises:
            UnknownPublicationError: there is no such publication; the text lists those there are.

        """
        known = {publication.version: publication for publication in self.publications()}
        if version not in known:
            numbers = ", ".join(map(str, known)) or "none"
            gone = {revoked.publication.version: revoked.reason for revoked in self.revoked()}
            why = f"index version {version} was removed for good ({gone[version]})" if version in gone else ""
            raise UnknownPublicationError(f"{why or f'no index version {version}'}; published versions: {numbers}")
        self.make_live(self.open_table(), known[version].table_version)
        return known[version]

    def _databases_path(self, publication: Publication) -> str:
        return f"{self.root}/index/databases/{publication.digest}.json"

    def _note_path(self, table_version: int) -> str:
        return f"{self.root}/index/publications/{table_version}.json"


def _files(folder: str) -> list[str]:
    """Return the JSON files in a folder, as paths or URLs."""
    fs, inner = filesystem(folder)
    return [fs.unstrip_protocol(str(path)) for path in fs.glob(f"{inner}/*.json")]
