"""The daily partitions, by UTC day of recording; today's is open."""

import dagster as dg

from feedback_pipeline.settings import get_settings

DAILY = dg.DailyPartitionsDefinition(start_date=get_settings().partitions_start, timezone="UTC", end_offset=1)
