"""Redaction asks nothing of the network, leaves no files behind, and loads the libraries only when it needs them."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import json, sys
asked = []
sys.addaudithook(lambda event, args: asked.append(event) if event in ("socket.connect", "socket.getaddrinfo") else None)
from feedback_pipeline.curation.cleaning import clean_sql, clean_text
texts = json.loads(sys.argv[1])
safe = [clean_text(text).text for text in texts] + [clean_sql(f"SELECT '{text}'", "sqlite").text for text in texts]
heavy = sorted({"presidio_analyzer", "spacy", "torch", "detect_secrets"} & sys.modules.keys())
print(json.dumps([safe, asked, heavy]))
"""


def clean_elsewhere(home: Path, *texts: str) -> tuple[list[str], list[str], list[str]]:
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    command = [sys.executable, "-c", SCRIPT, json.dumps(texts)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    safe, asked, heavy = json.loads(done.stdout.splitlines()[-1])
    return safe, asked, heavy


def test_nothing_is_downloaded_and_no_list_of_domains_is_stored(tmp_path: Path):
    safe, asked, heavy = clean_elsewhere(tmp_path, "mail ana@example.co.uk, key AKIAIOSFODNN7EXAMPLE")

    assert safe[0] == "mail <EMAIL_ADDRESS>, key <SECRET>"
    assert asked == []
    assert not [path for path in tmp_path.rglob("*") if "tld" in path.name.lower() or "spacy" in path.name.lower()]
    assert "presidio_analyzer" in heavy
    assert "torch" not in heavy


def test_what_was_kept_from_loading_can_be_loaded_afterwards():
    script = "from feedback_pipeline.curation.privacy import redact\nredact('mail ana@example.co.uk')\nimport torch"

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_ordinary_questions_load_none_of_the_libraries(tmp_path: Path):
    _, _, heavy = clean_elsewhere(tmp_path, "How many orders were shipped to Berlin in 2024?", "singers older than 20")

    assert heavy == []
