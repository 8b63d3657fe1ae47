"""Fixtures that more than one room uses: a store on SQLite and on a Postgres server of our own."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import NullPool, create_engine, text

from feedback_pipeline.curation.encoder import SentenceEncoder
from feedback_pipeline.example_index.encoder_export import export_encoder
from feedback_pipeline.settings import Settings, set_library_defaults
from feedback_pipeline.store import Store, open_store
from feedback_pipeline.store.models import Base
from feedback_pipeline_tests.defs.pipeline import Pipeline, copy_root, pipeline_at, run_samples
from feedback_pipeline_tests.store.samples import settings_at

# Property tests look at enough examples to find what is wrong, and few enough to run at every change. How long one
# takes is no matter: a busy machine is no fault of the code.
hypothesis.settings.register_profile(
    "everywhere",
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("everywhere")
set_library_defaults()

MakeUrl = Callable[[], str]


@pytest.fixture(params=["sqlite", "postgres"])
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of an empty store, once per kind of database."""
    url = request.getfixturevalue("postgres_store_url") if request.param == "postgres" else None
    return settings_at(tmp_path / "data", url)


@pytest.fixture
def store(store_settings: Settings) -> Iterator[Store]:
    """An empty store, once per kind of database."""
    opened = open_store(store_settings)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """An empty SQLite store, for what does not depend on the kind of database."""
    opened = open_store(settings_at(tmp_path / "sqlite"))
    yield opened
    opened.close()


@pytest.fixture
def postgres_store_url(migrated_postgres_url: str) -> str:
    """URL of a Postgres database with an empty store: emptying one is much quicker than making another."""
    engine = create_engine(migrated_postgres_url, poolclass=NullPool)
    tables = ", ".join(Base.metadata.tables)
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    return migrated_postgres_url


@pytest.fixture(scope="session")
def migrated_postgres_url(empty_postgres_url: MakeUrl) -> str:
    """URL of the one Postgres database that ``postgres_store_url`` empties for each test."""
    url = empty_postgres_url()
    open_store(settings_at(Path("unused"), url)).close()
    return url


@pytest.fixture(scope="session")
def empty_postgres_url(postgres_server: str) -> MakeUrl:
    """Make a new database with nothing in it, and return its URL."""
    numbers = count(1)
    admin = create_engine(f"{postgres_server}/postgres", isolation_level="AUTOCOMMIT")

    def create() -> str:
        name = f"empty_{next(numbers)}"
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
        return f"{postgres_server}/{name}"

    return create


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Run a Postgres server for the length of the session; its URL without a database."""
    binaries = _postgres_binaries()
    if binaries is None:
        pytest.skip("no Postgres server is installed here (initdb not found)")
    folder = Path(tempfile.mkdtemp(prefix="feedback-postgres-"))
    port = _free_port()
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off"
    try:
        _as_owner(folder, binaries / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "--no-sync")
        _as_owner(
            folder,
            binaries / "pg_ctl",
            "-D",
            folder / "data",
            "-l",
            folder / "log",
            "-w",
            "-o",
            options,
            "start",
        )
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}"
    finally:
        _as_owner(folder, binaries / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop", check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _postgres_binaries() -> Path | None:
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _as_owner(folder: Path, *command: str | Path, check: bool = True) -> None:
    """Run ``command`` as somebody other than root, whom Postgres refuses to serve."""
    who = {}
    if os.geteuid() == 0:
        account = _unprivileged_account()
        os.chown(folder, account.pw_uid, account.pw_gid)
        who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([str(part) for part in command], check=check, cwd=folder, **quiet, **who)


def _unprivileged_account() -> pwd.struct_passwd:
    names = {account.pw_name for account in pwd.getpwall()}
    return pwd.getpwnam("postgres" if "postgres" in names else "nobody")


@pytest.fixture(scope="session")
def exported_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage root with the query encoder of the bundled model: exported once, since that takes seconds."""
    root = tmp_path_factory.mktemp("exported")
    export_encoder(str(root), SentenceEncoder())
    return root


@pytest.fixture(scope="session")
def sample_root(tmp_path_factory: pytest.TempPathFactory, exported_root: Path) -> Path:
    """A storage root where the sample has been run once. Tests that change it take ``samples`` instead."""
    root = tmp_path_factory.mktemp("sample") / "data"
    run_samples(root, exported_root / "encoders")
    return root


@pytest.fixture
def samples(sample_root: Path, exported_root: Path, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline of its own in which the sample has been run once."""
    with pipeline_at(copy_root(sample_root, tmp_path / "data"), exported_root / "encoders") as pipeline:
        yield pipeline


@pytest.fixture
def pipeline(exported_root: Path, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline with nothing in it."""
    with pipeline_at(tmp_path / "data", exported_root / "encoders") as empty:
        yield empty
