"""Sessions that are kept between queries: as many as there are workers, whatever the number of databases."""

import threading
from collections.abc import Mapping
from contextlib import suppress

from feedback_pipeline.execution.contracts import Limits, Target
from feedback_pipeline.execution.deadlines import Watch
from feedback_pipeline.execution.engines import open_session
from feedback_pipeline.execution.results import Result
from feedback_pipeline.execution.sessions import LostError, Session, UnreachableError


class SessionPool:
    """Runs SQL on the databases it knows, from any thread. A database that could not be reached is not tried again."""

    def __init__(self, targets: Mapping[str, Target], limits: Limits, watch: Watch):
        self._targets, self._limits, self._watch = targets, limits, watch
        self._idle: list[tuple[str, Session]] = []
        self._unreachable: dict[str, UnreachableError] = {}
        self._lock = threading.Lock()

    def run(self, database_id: str, sql: str) -> Result:
        """Run one query within the limits. Raises UnreachableError."""
        with suppress(LostError):
            return self._run_once(database_id, sql)
        # Another query may have ended the connection, or the server was started anew.
        try:
            return self._run_once(database_id, sql)
        except LostError as error:
            return Result("error", f"{error} each time it was run")

    def close(self) -> None:
        """Close all sessions; none may be in use."""
        for _, session in self._idle:
            session.close()
        self._idle.clear()

    def _run_once(self, database_id: str, sql: str) -> Result:
        try:
            session = self._take(database_id)
            try:
                return session.run(sql, self._watch)
            finally:
                self._give_back(database_id, session)
        except UnreachableError as error:
            with self._lock:
                self._unreachable[database_id] = error
            raise

    def _take(self, database_id: str) -> Session:
        with self._lock:
            if database_id in self._unreachable:
                raise self._unreachable[database_id]
            position = next((p for p, (owner, _) in enumerate(self._idle) if owner == database_id), None)
            if position is not None:
                return self._idle.pop(position)[1]
        return open_session(self._targets[database_id], self._limits, self._watch)

    def _give_back(self, database_id: str, session: Session) -> None:
        surplus = [session]
        if session.is_alive():
            with self._lock:
                self._idle.append((database_id, session))
                surplus = [s for _, s in self._idle[: -self._limits.workers]]
                del self._idle[: -self._limits.workers]
        for each in surplus:
            each.close()
