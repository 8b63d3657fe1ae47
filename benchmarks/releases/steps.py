"""Single measured steps, each in a process of its own: ``python -m benchmarks.releases.steps STEP …`` prints JSON."""

import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.releases.examples import prompts
from feedback_pipeline.finetune.catalog import ReleaseCatalog
from feedback_pipeline.finetune.content.configs import CONFIGS, REPEATING
from feedback_pipeline.finetune.content.examples import StoredExamples
from feedback_pipeline.finetune.content.rows import SPLITS
from feedback_pipeline.finetune.content.selection import ReleasePolicy
from feedback_pipeline.finetune.content.splits import split_of
from feedback_pipeline.finetune.publishing.layout import SHARD_ROWS
from feedback_pipeline.finetune.publishing.release import Surroundings, publish_release

_POLICY = ReleasePolicy(min_rating=4, validation_percent=10, test_percent=10)


def publish(root: str, examples: str, rows: int) -> dict[str, Any]:
    """Release the examples: everything that the pipeline does from stored examples to ``latest``."""
    around = Surroundings(prompts=prompts(rows))
    start = time.perf_counter()
    result = publish_release(ReleaseCatalog(root), "text2sql", StoredExamples(examples), _POLICY, around)
    seconds = time.perf_counter() - start
    assert result.release is not None
    written = sum(file["bytes"] for file in result.release.manifest["files"])
    return {"seconds": seconds, "bytes": written, "reused_bytes": result.reused_bytes, **result.release.rows}


def pyarrow(root: str, target: str, _rows: int) -> dict[str, Any]:
    """Write the tables of the release again, which are in memory already, and do nothing else."""
    seconds = written = 0
    for path in sorted(Path(root).glob("releases/text2sql/v1/*/*.parquet")):
        table = pq.read_table(path)
        options = {"row_group_size": SHARD_ROWS, "use_dictionary": [n for n in REPEATING if n in table.column_names]}
        start = time.perf_counter()
        pq.write_table(table, Path(target) / "file.parquet", compression="zstd", **options)
        seconds += time.perf_counter() - start
        written += (Path(target) / "file.parquet").stat().st_size
    return {"seconds": seconds, "bytes": written}


def datasets(examples: str, target: str, rows: int) -> dict[str, Any]:
    """Build and save the same rows with ``datasets``: batches in, each config and split as Parquet out."""
    import datasets as hf

    hf.disable_progress_bars()
    told, source = prompts(rows), StoredExamples(examples)
    start = time.perf_counter()
    for config in CONFIGS:
        for split in SPLITS:

            def batches(config=config, split=split) -> Iterator[pa.Table]:
                for batch in source.batches():
                    of = [SPLITS[split_of(name, 10, 10)] == split for name in batch["cluster_id"].to_pylist()]
                    yield config.render(batch.filter(pa.array(of, pa.bool_())), told)

            built = hf.Dataset.from_generator(
                lambda batches=batches: (row for table in batches() for row in table.to_pylist()),
                features=hf.Features.from_arrow_schema(config.schema),
                cache_dir=f"{target}/cache",
            )
            built.to_parquet(f"{target}/{config.name}-{split}.parquet")
    return {"seconds": time.perf_counter() - start}


if __name__ == "__main__":
    step, first, second, count = sys.argv[1:]
    found = {"publish": publish, "pyarrow": pyarrow, "datasets": datasets}[step](first, second, int(count))
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))
