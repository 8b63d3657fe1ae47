"""What can be run as a whole. In process: a process per asset would cost more than the assets do."""

import dagster as dg

_EVERYTHING = dg.AssetSelection.all()
_ONE_AT_A_TIME = {"feedback_pipeline/writes": "tables"}
_CONCISE = {"loggers": {"console": {}}}

nightly_aggregation = dg.define_asset_job(
    "nightly_aggregation",
    selection=_EVERYTHING,
    config=_CONCISE,
    run_tags=_ONE_AT_A_TIME,
    description="One day's events and interactions, then everything that is built from all days.",
)

promote_verified = dg.define_asset_job(
    "promote_verified",
    selection=_EVERYTHING - dg.AssetSelection.assets("raw_interactions"),
    config=_CONCISE,
    run_tags=_ONE_AT_A_TIME,
    description="Newly verified corrections into the live index and the dataset, without waiting for the night.",
)

JOBS = [nightly_aggregation, promote_verified]
