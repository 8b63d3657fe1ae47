"""What reviewers see in a browser: the queue, one item, conflicts, insights; signing in and out.

Pages are rendered on the server and work with plain forms; ``static/review.js`` only makes them quicker to use. What a
button does is decided by the functions of ``review``; here is only how it is shown and asked for.
"""

from fastapi import APIRouter

from feedback_pipeline.api.pages import assets, bulk, conflicts, deciding, insights, item, missing, queue, signing_in

ROUTERS: tuple[APIRouter, ...] = (
    signing_in.router,
    queue.router,
    item.router,
    deciding.router,
    bulk.router,
    conflicts.router,
    insights.router,
    # Answers whatever below /review nobody else knows, so it comes last.
    missing.router,
)

pages = APIRouter(include_in_schema=False)
for _router in ROUTERS:
    pages.include_router(_router)
assets.mount_on(pages)
