import stat
from pathlib import Path

import pytest

from feedback_pipeline.store import HashKeyError, Interaction, Store, UserHasher, record_many
from feedback_pipeline_tests.store.running import together
from feedback_pipeline_tests.store.samples import settings_at, submit


def hasher(folder: Path, secret: str | None = None) -> UserHasher:
    return UserHasher(settings_at(folder, hash_key=secret))


def test_the_same_user_and_key_give_the_same_hash(tmp_path: Path) -> None:
    assert hasher(tmp_path, "secret")("ann") == hasher(tmp_path / "elsewhere", "secret")("ann")


def test_another_key_or_user_gives_another_hash(tmp_path: Path) -> None:
    hashes = {hasher(tmp_path, key)(user) for key in ("one", "two") for user in ("ann", "bob")}
    assert len(hashes) == 4


def test_the_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    first, second = hasher(tmp_path)("ann"), hasher(tmp_path)("ann")

    assert first == second
    assert stat.S_IMODE((tmp_path / "hash.key").stat().st_mode) == 0o600


def test_processes_that_start_at_once_agree_on_the_key(tmp_path: Path) -> None:
    hashes = together(*[lambda: hasher(tmp_path)("ann")] * 8)
    assert len(set(hashes)) == 1


def test_an_empty_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HashKeyError, match=r"FEEDBACK_HASH_KEY is empty"):
        hasher(tmp_path, "")("ann")


def test_a_key_file_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hash.key").write_text("abc")

    with pytest.raises(HashKeyError, match=r"hash\.key is cut short.*backup"):
        hasher(tmp_path)("ann")


def test_raw_user_ids_never_reach_the_disk(sqlite_store: Store) -> None:
    submit(sqlite_store, "k1", user_id="ann@example.com")
    record_many(sqlite_store, [Interaction("rag", "why?", user_id="ann@example.com")])
    sqlite_store.close()

    files = [path for path in Path(str(sqlite_store.engine.url.database)).parent.iterdir() if path.is_file()]
    assert files
    assert not [path for path in files if b"ann@example.com" in path.read_bytes()]
