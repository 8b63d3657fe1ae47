"""Settings: where they come from, what they refuse, and what they never show."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from feedback_pipeline.settings import LIBRARY_DEFAULTS, Settings


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Work in an empty folder with no variable of the project set."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("FEEDBACK_")]:
        monkeypatch.delenv(name)


def test_nothing_needs_to_be_set(tmp_path: Path):
    settings = Settings()

    assert settings.storage_root == str(tmp_path / "data")
    assert settings.store_url == f"sqlite:///{tmp_path}/data/feedback.db"
    assert settings.path("releases", "v1") == f"{tmp_path}/data/releases/v1"


def test_a_remote_root_is_left_as_it_is_and_local_things_stay_local(tmp_path: Path):
    settings = Settings(storage_root="s3://bucket/folder/")

    assert settings.path("index") == "s3://bucket/folder/index"
    assert settings.local_root == tmp_path / "data"
    assert settings.store_url == f"sqlite:///{tmp_path}/data/feedback.db"


def test_a_home_folder_is_spelled_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    assert Settings(storage_root="~/feedback").storage_root == str(tmp_path / "home" / "feedback")


def test_variables_stand_above_the_file_and_unknown_ones_do_no_harm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / ".env").write_text("FEEDBACK_MIN_RATING=2\nFEEDBACK_DEFAULT_DIALECT=mysql\nFEEDBACK_UNKNOWN=1\n")
    monkeypatch.setenv("FEEDBACK_MIN_RATING", "5")

    settings = Settings()

    assert (settings.min_rating, settings.default_dialect) == (5, "mysql")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_rating", 0),
        ("min_rating", 6),
        ("max_question_chars", 0),
        ("validation_percent", 51),
        ("test_percent", -1),
        ("vector_index_min_rows", 10),
    ],
)
def test_values_that_make_no_sense_are_refused_by_name(name: str, value: object):
    with pytest.raises(ValidationError, match=name):
        Settings.model_validate({name: value})


def test_settings_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().min_rating = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_the_hash_key_is_never_shown():
    settings = Settings(hash_key=SecretStr("very-secret"))

    assert "very-secret" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_libraries_are_quiet_and_wait_asleep_unless_the_user_chose_otherwise():
    script = (
        "import os; from feedback_pipeline.settings import get_settings; get_settings();"
        "print(*(os.environ[name] for name in ('DO_NOT_TRACK', 'RAY_USAGE_STATS_ENABLED', 'OMP_WAIT_POLICY')))"
    )
    kept = {name: value for name, value in os.environ.items() if name not in LIBRARY_DEFAULTS}
    place = {"PYTHONPATH": str(Path(__file__).parents[1]), "RAY_USAGE_STATS_ENABLED": "1"}

    said = subprocess.run([sys.executable, "-c", script], env=kept | place, capture_output=True, text=True, check=True)

    assert said.stdout == "1 1 PASSIVE\n"


@pytest.mark.parametrize(
    "wrong", [{"partitions_start": "yesterday"}, {"schedule_timezone": "Mars/Olympus"}, {"schedule_timezone": ""}]
)
def test_days_and_time_zones_are_checked_at_once(wrong: dict[str, str]):
    with pytest.raises(ValidationError, match=r"yesterday|time zone"):
        Settings(**wrong)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("listed", ["proxy.example.com", "127.0.0.1, *", "10.0.0.1/8", "127.0.0.1:80"])
def test_a_proxy_that_is_no_address_is_named(listed: str):
    with pytest.raises(ValidationError, match="is no address such as"):
        Settings(api_trusted_proxies=listed)
