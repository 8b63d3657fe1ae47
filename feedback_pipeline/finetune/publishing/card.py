"""The dataset card: what the Hugging Face hub shows, and what tells ``datasets`` which file is which split."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from feedback_pipeline.finetune.content.rows import SPLITS

_TEMPLATES = Environment(
    loader=PackageLoader("feedback_pipeline.finetune.publishing", "templates"),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701 - the card is Markdown made of numbers and our own names
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


def dataset_card(manifest: dict[str, Any], template: str) -> str:
    """Return README.md of a release, with the YAML head that ``datasets.load_dataset(path)`` reads."""
    return _TEMPLATES.get_template(template).render(manifest=manifest, splits=SPLITS)
