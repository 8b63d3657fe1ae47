"""What stops an index that would find less than the one that is live. Blocks: runs before anything is published."""

from collections.abc import Callable

import dagster as dg
import pyarrow as pa

from feedback_pipeline.checking import checker_from
from feedback_pipeline.defs.masking import samples_of
from feedback_pipeline.defs.resources import Feedback
from feedback_pipeline.evaluation.probes import Probe, ProbeFileError, RecallChange, read_probes
from feedback_pipeline.evaluation.publication import recall_change
from feedback_pipeline.evaluation.templates import template_of
from feedback_pipeline.example_index.catalog import IndexNotFoundError, Publication
from feedback_pipeline.example_index.dictionaries import DictionaryNotFoundError
from feedback_pipeline.example_index.promotion import still_vouched_for
from feedback_pipeline.example_index.query_encoder import EncoderNotFoundError, open_encoder
from feedback_pipeline.schemas import ContractError, embedded_feedback, require
from feedback_pipeline.tables.files import filesystem

PROBE_FILE = "evaluation/probes.jsonl"
"""Where probes besides those made of the examples may lie, below the storage root."""


@dg.asset_check(asset="embedded_feedback", blocking=True)
def recall_of_probes(feedback: Feedback) -> dg.AssetCheckResult:
    """Probes made of verified examples find their SQL template as often as in the index that is live."""
    table = feedback.tables.read_partition("embedded_feedback")
    if table is None:
        return _verdict(False, "embedded_feedback has not been stored")
    live = feedback.index.live()
    if live is None:
        return _verdict(True, "nothing is live yet that could be compared")
    try:
        change = _change(feedback, require(table, embedded_feedback(feedback.encoder.dimension), "recall"), live)
    except (ContractError, ProbeFileError) as error:
        return _verdict(False, str(error))
    except (IndexNotFoundError, EncoderNotFoundError, DictionaryNotFoundError) as error:
        return _verdict(True, f"what is live cannot be asked, so nothing was compared: {error}")
    if change is None:
        return _verdict(True, "nothing has changed since the last publication")
    return _verdict_on(change, feedback.settings.max_recall_drop)


def _change(feedback: Feedback, embedded: pa.Table, live: Publication) -> RecallChange | None:
    store, root = feedback.store, feedback.settings.storage_root
    embedded, skeleton_of = still_vouched_for(store, embedded), _skeletons(feedback)
    return recall_change(
        embedded,
        feedback.quick_encoder() or feedback.encoder.encode,
        feedback.index,
        live,
        open_encoder(root, live.model_fingerprint).encode_all,
        samples=samples_of(feedback, embedded),
        still_wanted=lambda rows: still_vouched_for(store, rows),
        skeleton_of=skeleton_of,
        further=_further(feedback, skeleton_of),
    )


def _verdict_on(change: RecallChange, bound: float) -> dg.AssetCheckResult:
    dropped, words, found = change.is_drop(bound), change.words, change.difference
    if dropped:
        words += (
            f"; that is more than FEEDBACK_MAX_RECALL_DROP={bound:g} allows, so the index is not published: look at "
            "what has changed since, or allow a larger drop"
        )
    return _verdict(not dropped, words, probes=found.n, lost=found.only_old, gained=found.only_new)


def _verdict(passed: bool, description: str, **metadata: int) -> dg.AssetCheckResult:
    severity = dg.AssetCheckSeverity.ERROR
    return dg.AssetCheckResult(passed=passed, severity=severity, description=description, metadata=metadata)


def _skeletons(feedback: Feedback) -> Callable[[str, str], str]:
    checker = checker_from(feedback.store, feedback.settings)

    def skeleton_of(sql: str, database_id: str) -> str:
        facts = checker.facts(database_id)
        return template_of(sql, facts.dialect, facts.columns)

    return skeleton_of


def _further(feedback: Feedback, skeleton_of: Callable[[str, str], str]) -> list[Probe]:
    path = feedback.settings.path(PROBE_FILE)
    fs, inner = filesystem(path)
    try:
        with fs.open(inner, "r", encoding="utf-8-sig") as file:
            return read_probes(str(file.read()), path, skeleton_of)
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise ProbeFileError(f"{path}: is not UTF-8 (byte {error.start + 1})") from error
