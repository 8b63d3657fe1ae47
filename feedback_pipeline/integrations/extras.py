"""What is said where a framework is not installed."""


class MissingExtraError(ImportError):
    """A framework cannot be imported; the text names the extra to install."""

    def __init__(self, extra: str, cause: ImportError):
        super().__init__(f"{cause}. Run: pip install 'feedback-pipeline[{extra}]'", name=cause.name)
