"""What an agent gets: its own database's examples of the live publication, best first, and never an exception."""

import logging
import shutil
import threading
from pathlib import Path

import pytest

from feedback_pipeline.curation.encoder import Encoder, SentenceEncoder
from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.publish import publish
from feedback_pipeline.retrieval import Retriever
from feedback_pipeline.settings import Settings
from feedback_pipeline_tests.encoders import TinyEncoder
from feedback_pipeline_tests.example_index.samples import Example, embedded, example_id, questions


@pytest.fixture
def root(tmp_path: Path) -> str:
    return str(tmp_path)


@pytest.fixture
def encoder(root: str) -> TinyEncoder:
    return TinyEncoder(root)


def put(root: str, encoder: Encoder, *examples: Example) -> int:
    return publish(IndexCatalog(root), embedded(encoder, *examples), encoder.fingerprint).publication.version


def asked(retriever: Retriever, question: str = "question 1", database_id: str = "shop", k: int = 3) -> list[str]:
    found = retriever.similar(question, database_id=database_id, k=k, min_score=-1)
    return [example.natural_query for example in found]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_an_example_carries_all_an_agent_needs(root: str, encoder: TinyEncoder):
    put(root, encoder, *questions(5))

    best = Retriever(root).similar("question 3", database_id="shop", k=2)[0]

    assert best.as_dict() == {
        "example_id": example_id("shop", "question 3"),
        "feedback_id": "f-question 3",
        "feedback_ids": ["f-question 3"],
        "database_id": "shop",
        "natural_query": "question 3",
        "sql": "SELECT 'question 3'",
        "generated_sql": None,
        "score": 1.0,
        "rank": 1,
        "source": "user_feedback",
        "masked_query": "question 3",
        "adapted_sql": "SELECT 'question 3'",
        "substitutions": [],
    }


def test_the_meaning_of_a_question_finds_its_example(exported_root: Path, root: str):
    (Path(root) / "encoders").symlink_to(exported_root / "encoders")
    wordings = ["How many orders came from Berlin?", "Which products are out of stock?", "Average salary per team"]
    put(root, SentenceEncoder(), *(("shop", wording) for wording in wordings))

    found = Retriever.open(Settings(storage_root=root)).similar(
        "number of purchases made by people in Berlin", database_id="shop", min_score=-1
    )

    assert found[0].natural_query == wordings[0]
    assert [example.rank for example in found] == [1, 2, 3]
    assert found[0].score > found[1].score >= found[2].score


def test_databases_do_not_leak_into_each_other(root: str, encoder: TinyEncoder):
    names = ["shop", "Shop", "it's", "x' OR '1'='1", "100%"]
    put(root, encoder, *((name, f"question of {name}") for name in names))
    retriever = Retriever(root)

    for name in names:
        found = retriever.similar("question", database_id=name, k=10, min_score=-1)
        assert [example.database_id for example in found] == [name]


@pytest.mark.parametrize("database_id", ["unknown", "", "' OR 1 = 1 --", "a\x00b", "日本"])
def test_an_unknown_database_has_no_examples(root: str, encoder: TinyEncoder, database_id: str):
    put(root, encoder, *questions(3))

    assert asked(Retriever(root), database_id=database_id) == []


@pytest.mark.parametrize("question", ["", " ", "\n\t"])
def test_an_empty_question_has_no_examples(root: str, encoder: TinyEncoder, question: str):
    put(root, encoder, *questions(3))

    assert asked(Retriever(root), question) == []


@pytest.mark.parametrize("question", ["?", "\x00", "\ud800", "words " * 20_000, "日本語 🙂"])
def test_an_odd_question_still_has_an_answer(root: str, encoder: TinyEncoder, question: str):
    put(root, encoder, *questions(3))

    assert len(asked(Retriever(root), question)) == 3


@pytest.mark.parametrize("k", [0, -1])
def test_asking_for_less_than_one_is_refused(root: str, k: int):
    with pytest.raises(ValueError, match="k must be at least 1"):
        Retriever(root).similar("question", database_id="shop", k=k)


def test_asking_for_many_gives_all_there_are(root: str, encoder: TinyEncoder):
    put(root, encoder, *questions(7))

    assert len(asked(Retriever(root), k=100)) == 7


def test_equally_similar_examples_keep_one_order_whatever_was_published_before(tmp_path: Path):
    wordings = [("shop", f"unheard{number}") for number in range(12)]
    at_once, bit_by_bit = str(tmp_path / "one"), str(tmp_path / "other")
    put(at_once, TinyEncoder(at_once), *wordings)
    for count in (3, 12, 7, 9, 12):
        put(bit_by_bit, TinyEncoder(bit_by_bit), *reversed(wordings[:count]))

    found = asked(Retriever(at_once), k=5)

    assert found == asked(Retriever(bit_by_bit), k=5)
    assert found == sorted((wording for _, wording in wordings), key=lambda text: example_id("shop", text))[:5]


def test_a_moved_tag_is_followed_without_a_restart(root: str, encoder: TinyEncoder):
    put(root, encoder, ("shop", "tea"))
    retriever = Retriever(root, refresh_seconds=0)
    assert (asked(retriever), retriever.index_version) == (["tea"], 1)

    put(root, encoder, ("shop", "ships"))
    assert (asked(retriever), retriever.index_version) == (["ships"], 2)

    IndexCatalog(root).rollback(1)
    assert (asked(retriever), retriever.index_version) == (["tea"], 1)


def test_another_model_is_followed_without_a_restart(root: str, encoder: TinyEncoder):
    put(root, encoder, *questions(4))
    retriever = Retriever(root, refresh_seconds=0)
    asked(retriever)

    put(root, TinyEncoder(root, "tiny two", dimension=24), *questions(4))

    assert retriever.similar("question 2", database_id="shop")[0].score == 1.0
    IndexCatalog(root).rollback(1)
    assert retriever.similar("question 2", database_id="shop")[0].score == 1.0


def test_between_looks_at_the_tag_the_known_publication_answers(root: str, encoder: TinyEncoder):
    put(root, encoder, ("shop", "tea"))
    retriever = Retriever(root, refresh_seconds=3_600)
    asked(retriever)

    put(root, encoder, ("shop", "ships"))

    assert asked(retriever) == ["tea"]


def test_a_missing_index_costs_one_warning_and_is_found_when_it_comes(root: str, caplog: pytest.LogCaptureFixture):
    retriever = Retriever.open(Settings(storage_root=root), refresh_seconds=0)

    assert [asked(retriever) for _ in range(5)] == [[]] * 5
    assert retriever.index_version is None
    assert len(warnings(caplog)) == 1
    assert "feedback-pipeline run" in warnings(caplog)[0]

    put(root, TinyEncoder(root), ("shop", "tea"))
    assert asked(retriever) == ["tea"]
    assert len(warnings(caplog)) == 1


def test_a_missing_encoder_costs_one_warning(root: str, encoder: TinyEncoder, caplog: pytest.LogCaptureFixture):
    put(root, encoder, ("shop", "tea"))
    shutil.rmtree(Path(root) / "encoders")
    retriever = Retriever(root, refresh_seconds=0)

    assert [asked(retriever) for _ in range(3)] == [[]] * 3
    assert len(warnings(caplog)) == 1


DAMAGES = ["_versions", "data", "_refs", "../publications", "../../encoders"]


@pytest.mark.parametrize("part", DAMAGES)
@pytest.mark.parametrize("how", ["emptied", "overwritten", "deleted"])
def test_a_damaged_index_costs_a_warning_that_names_the_way_out(
    root: str, encoder: TinyEncoder, caplog: pytest.LogCaptureFixture, part: str, how: str
):
    put(root, encoder, *questions(3))
    damage((Path(root) / "index" / "examples.lance" / part).resolve(), how)
    retriever = Retriever(root, refresh_seconds=0)

    assert [asked(retriever) for _ in range(3)] == [[]] * 3
    assert len(warnings(caplog)) == 1
    assert "feedback-pipeline run" in warnings(caplog)[0]


def damage(folder: Path, how: str) -> None:
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        path.write_bytes(b"" if how == "emptied" else b"not what it was" * 10) if how != "deleted" else path.unlink()


def test_an_index_deleted_and_built_anew_is_followed(root: str, encoder: TinyEncoder):
    put(root, encoder, ("shop", "tea"), ("bank", "cost"))
    retriever = Retriever(root, refresh_seconds=0)
    assert asked(retriever) == ["tea"]

    shutil.rmtree(Path(root) / "index")
    put(root, encoder, ("shop", "ships"), ("bank", "cost"))

    assert asked(retriever) == ["ships"]


def test_an_index_rebuilt_with_the_same_content_is_found_again(root: str, encoder: TinyEncoder):
    put(root, encoder, ("shop", "tea"), ("bank", "cost"))
    retriever = Retriever(root, refresh_seconds=0)
    asked(retriever)

    shutil.rmtree(Path(root) / "index")
    put(root, encoder, ("shop", "tea"), ("bank", "cost"))

    answers = [asked(retriever, database_id="bank") for _ in range(3)]
    assert answers[-1] == ["cost"]


def test_what_is_in_memory_goes_on_answering_when_the_folder_goes(root: str, encoder: TinyEncoder):
    put(root, encoder, ("shop", "tea"))
    retriever = Retriever(root, refresh_seconds=0)
    asked(retriever)

    shutil.rmtree(root)

    assert asked(retriever) == ["tea"]


def test_questions_asked_while_publishing_see_whole_publications_only(root: str, encoder: TinyEncoder):
    sizes = {number: 5 + number % 3 for number in range(12)}

    def examples(number: int) -> list[Example]:
        return [("shop", f"question {n}", f"SELECT {number}") for n in range(sizes[number])]

    put(root, encoder, *examples(0))
    retriever, stop = Retriever(root, refresh_seconds=0), threading.Event()
    seen: set[tuple[str, int]] = set()
    failures: list[BaseException] = []

    def ask_on() -> None:
        try:
            while not stop.is_set():
                found = retriever.similar("question 1", database_id="shop", k=50, min_score=-1)
                (sql,) = {example.sql for example in found}
                seen.add((sql, len(found)))
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=ask_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 12):
        put(root, encoder, *examples(number))
    stop.set()
    for thread in threads:
        thread.join()

    assert failures == []
    assert seen <= {(f"SELECT {number}", size) for number, size in sizes.items()}
    assert len(seen) > 3


def test_a_database_too_large_to_hold_whose_files_are_gone_has_no_examples(root: str, encoder: TinyEncoder):
    put(root, encoder, *questions(5))
    retriever = Retriever(root, max_bytes=1_000, refresh_seconds=0)
    assert asked(retriever, "question 3")[0] == "question 3"

    shutil.rmtree(Path(root) / "index" / "examples.lance" / "data")

    assert asked(retriever, "question 3") == []
    assert asked(Retriever(root, max_bytes=1_000), "question 3") == []
