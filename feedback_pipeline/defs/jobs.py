"""What can be run as a whole. In process: a process per asset would cost more than the assets do."""

import dagster as dg

_ON_REQUEST = dg.AssetSelection.assets("erasure_receipt")
_TRAINING = dg.AssetSelection.assets("reranker_model")
_EVERYTHING = dg.AssetSelection.all() - _ON_REQUEST - _TRAINING
_FOR_THE_NIGHT = dg.AssetSelection.assets(
    "raw_interactions", "feedback_metrics", "reranker_triplets", "reranker_dataset"
)
"""What agents and trainers do not wait for."""
ONE_AT_A_TIME = {"feedback_pipeline/writes": "tables"}
"""Tag of runs that follow each other (``dagster.yaml``)."""
_CONCISE = {"loggers": {"console": {}}}

nightly_aggregation = dg.define_asset_job(
    "nightly_aggregation",
    selection=_EVERYTHING,
    config=_CONCISE,
    run_tags=ONE_AT_A_TIME,
    description="One day's events and interactions, then everything that is built from all days.",
)

promote_verified = dg.define_asset_job(
    "promote_verified",
    selection=_EVERYTHING - _FOR_THE_NIGHT,
    config=_CONCISE,
    run_tags=ONE_AT_A_TIME,
    description="Newly verified corrections into the live index and the dataset, without waiting for the night.",
)

erasure = dg.define_asset_job(
    "erasure",
    selection=_ON_REQUEST,
    config=_CONCISE,
    run_tags=ONE_AT_A_TIME,
    description="Finishes the erasures that were asked for with 'feedback-pipeline erase'.",
)

retrain_reranker = dg.define_asset_job(
    "retrain_reranker",
    selection=_TRAINING,
    config=_CONCISE,
    description="Trains the reranker on its latest dataset and promotes it if it is better. It writes no stage table, "
    "so the index never waits for it.",
)

JOBS = [nightly_aggregation, promote_verified, erasure, retrain_reranker]
