"""Whether a feedback is in the live index: right after a publication, a rollback and before there is any."""

import shutil
from pathlib import Path

import pytest

from feedback_pipeline.example_index.catalog import IndexCatalog
from feedback_pipeline.example_index.membership import LiveMembership
from feedback_pipeline.example_index.publish import publish
from feedback_pipeline_tests.encoders import HashEncoder
from feedback_pipeline_tests.example_index.samples import embedded


@pytest.fixture
def catalog(tmp_path: Path) -> IndexCatalog:
    return IndexCatalog(str(tmp_path))


@pytest.fixture
def membership(tmp_path: Path) -> LiveMembership:
    return LiveMembership(str(tmp_path), refresh_seconds=0)


def put(catalog: IndexCatalog, *questions: str) -> None:
    """Publish one example per question; its feedback is ``f-`` and the question."""
    encoder = HashEncoder(8)
    publish(catalog, embedded(encoder, *(("shop", question) for question in questions)), encoder.fingerprint)


def test_before_the_first_publication_nothing_is_live(membership: LiveMembership):
    assert membership.version_with("f-a") is None


def test_the_live_publication_is_named_for_what_it_holds(catalog: IndexCatalog, membership: LiveMembership):
    put(catalog, "a", "b")

    assert membership.version_with("f-a") == 1
    assert membership.version_with("f-c") is None


def test_a_later_publication_and_a_rollback_are_followed(catalog: IndexCatalog, membership: LiveMembership):
    put(catalog, "a")
    assert membership.version_with("f-a") == 1
    put(catalog, "b")
    assert (membership.version_with("f-a"), membership.version_with("f-b")) == (None, 2)

    catalog.rollback(1)

    assert (membership.version_with("f-a"), membership.version_with("f-b")) == (1, None)


def test_an_empty_publication_holds_nothing(catalog: IndexCatalog, membership: LiveMembership):
    put(catalog, "a")
    put(catalog)

    assert membership.version_with("f-a") is None


def test_an_index_that_is_gone_holds_nothing(catalog: IndexCatalog, membership: LiveMembership, tmp_path: Path):
    put(catalog, "a")
    assert membership.version_with("f-a") == 1

    shutil.rmtree(tmp_path / "index")

    assert membership.version_with("f-a") is None
