"""Publishing on an object store: complete versions, shared without being sent again, and never half of one."""

import os
import signal
import subprocess
import sys

import fsspec
import pytest

from feedback_pipeline.finetune.catalog import Release, ReleaseCatalog
from feedback_pipeline.finetune.publishing.release import publish_release
from feedback_pipeline.finetune.publishing.revocation import revoke_rows
from feedback_pipeline.finetune.reading.verify import check_release
from feedback_pipeline_tests.finetune.samples import POLICY, examples
from feedback_pipeline_tests.store.running import ROOT

PUBLISHER = """
import os, signal, sys
from feedback_pipeline.finetune.publishing import staging
from feedback_pipeline.finetune.catalog import ReleaseCatalog
from feedback_pipeline.finetune.publishing.release import publish_release
from feedback_pipeline_tests.finetune.samples import POLICY, examples
steps, write = iter(range(10_000)), staging.write_bytes
def dying(path, content, **more):
    if next(steps) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, content, **more)
staging.write_bytes = dying
publish_release(ReleaseCatalog(sys.argv[1]), "text2sql", examples(41), POLICY)
"""


def published(catalog: ReleaseCatalog, count: int) -> Release:
    release = publish_release(catalog, "text2sql", examples(count), POLICY).release
    assert release is not None
    return release


def test_versions_are_whole_and_equal_input_publishes_nothing(bucket: str):
    catalog = ReleaseCatalog(bucket)

    releases = [published(catalog, count) for count in (40, 40, 41)]

    assert [release.version for release in releases] == [1, 1, 2]
    for release in releases:
        assert not check_release(release.path).problems


def test_the_bytes_are_those_of_a_local_disk(bucket: str, tmp_path):
    remote, local = (published(ReleaseCatalog(root), 40) for root in (bucket, str(tmp_path)))

    assert remote.manifest == local.manifest


@pytest.mark.parametrize("moment", [0, 3, 7])
def test_a_killed_publisher_leaves_the_version_before_and_the_next_run_sweeps(bucket: str, moment: int):
    catalog = ReleaseCatalog(bucket)
    first = published(catalog, 40)

    command = [sys.executable, "-c", PUBLISHER, bucket, str(moment)]
    killed = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert catalog.latest("text2sql") == first
    second = published(catalog, 42)
    assert second.version == 2
    assert not check_release(second.path).problems
    fs, inner = fsspec.core.url_to_fs(f"{bucket}/releases/text2sql/v2")
    fs.invalidate_cache()
    there = {path.removeprefix(f"{inner}/") for path in fs.find(inner)}
    assert there == {file["path"] for file in second.manifest["files"]} | {"manifest.json"}


def test_rows_are_revoked(bucket: str):
    catalog = ReleaseCatalog(bucket)
    first = published(catalog, 40)

    done = revoke_rows(catalog, "text2sql", {"f3"}, "erasure")

    assert (done.published, done.revoked) == (2, [1])
    fs, inner = fsspec.core.url_to_fs(first.path)
    fs.invalidate_cache()
    assert sorted(path.rsplit("/", 1)[-1] for path in fs.find(inner)) == ["README.md", "manifest.json"]
