"""The peer: FastAPI and SQLAlchemy, a body validated, a row inserted; no sign-in, no events, no idempotency."""

import os

from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, insert, text

engine = create_engine(f"sqlite:///{os.environ['BARE_FILE']}", connect_args={"timeout": 30})
feedback = Table("feedback", MetaData(), *(Column(n, Text) for n in ("database_id", "natural_query", "corrected_sql")))
feedback.append_column(Column("id", Integer, primary_key=True))
with engine.begin() as connection:
    connection.execute(text("PRAGMA journal_mode=WAL"))
    feedback.create(connection, checkfirst=True)

app = FastAPI()


class Correction(BaseModel):
    """What a client sends."""

    database_id: str
    natural_query: str
    corrected_sql: str


@app.get("/healthz")
def health() -> dict[str, bool]:
    return {"ok": True}


@app.post("/feedback", status_code=201)
def store(correction: Correction) -> dict[str, int]:
    with engine.begin() as connection:
        key = connection.execute(insert(feedback).values(correction.model_dump())).inserted_primary_key
    return {"id": key[0] if key else 0}
