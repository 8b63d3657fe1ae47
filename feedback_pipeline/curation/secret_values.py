"""Finds passwords, keys and tokens with the detectors of detect-secrets; nothing is ever asked of the network.

The detectors are used for their patterns and measures only. Some report a part of what they match (the prefix of a
GitHub token, the first line of a private key), so the place comes from the pattern itself and grows to the whole token.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any

from feedback_pipeline.curation.personal_data import Found, pieces
from feedback_pipeline.curation.privacy import SECRET

_TOKEN_DETECTORS = (
    "aws.AWSKeyDetector",
    "azure_storage_key.AzureStorageKeyDetector",
    "cloudant.CloudantDetector",
    "discord.DiscordBotTokenDetector",
    "github_token.GitHubTokenDetector",
    "gitlab_token.GitLabTokenDetector",
    "ibm_cloud_iam.IbmCloudIamDetector",
    "ibm_cos_hmac.IbmCosHmacDetector",
    "jwt.JwtTokenDetector",
    "mailchimp.MailchimpDetector",
    "openai.OpenAIDetector",
    "pypi_token.PypiTokenDetector",
    "sendgrid.SendGridDetector",
    "slack.SlackDetector",
    "softlayer.SoftlayerDetector",
    "square_oauth.SquareOAuthDetector",
    "stripe.StripeDetector",
    "telegram_token.TelegramBotTokenDetector",
    "twilio.TwilioKeyDetector",
)
"""Plugins of detect-secrets that know a token by its form."""

_MIN_ENTROPY = 4.4
_MIN_RANDOM_CHARS = 32
_MIN_PASSWORD_CHARS = 4
_TOKEN_SIGNS = re.compile(r"[0-9A-Za-z_+/=~.-]*")
_TOKEN = re.compile(rf"[0-9A-Za-z_+=-]{{{_MIN_RANDOM_CHARS},}}")
_END_OF_KEY = re.compile(r"END [A-Z0-9 ]{0,40}PRIVATE KEY( BLOCK)?-----")
_SAID = re.compile(
    r"\b(?:pass(?:word|wort|phrase|code)|passwd|pwd|kennwort)"
    r"(?:[ \t]{1,3}(?:of|for|from|to|von|für)[ \t]{1,3}[^\s:=]{1,40}(?:[ \t]{1,3}(?!is\b|was\b|ist\b)[^\s:=]{1,40})?)?"
    r"(?:[ \t]{1,3}(?:is|was|ist|war|lautet)[ \t]{0,3}:?|[ \t]{0,3}[:=])[ \t]{0,3}[\"'`]?(?P<value>[^\s\"'`<>]{4,80})",
    re.IGNORECASE,
)
"""A password told in a sentence, which the detectors do not look for."""
_MADE_UP = re.compile(
    r"(?=.*[^\W\d_])(?=.*\d)(?!(?:sha|aes|utf|base|bcrypt|varchar|char|int)[-_(]?\d).*", re.IGNORECASE
)
_FIRST_WORD = re.compile(r"\S+")
_WORD = re.compile(r"\w*")
_NAME_ENDING = r"(?:_?(?:hash|hashed|digest|salt|text|plain|value|enc|encrypted|md5|sha\d*|old|new|s|\d+))*"
_LONGEST_NAME = 64
_LONG_WORD = re.compile(rf"\w{{{_LONGEST_NAME + 1},}}")
_NAMES_OF_ROWS = re.compile(r"(?:account|client|database|db|service)_?key|secretar", re.IGNORECASE)
"""Detectors take ``account_key`` for a secret; in databases it is how a row is called."""


def find_secrets(text: str) -> list[Found]:
    """Return secrets in ``text``, possibly overlapping."""
    found = {_private_key(text, start): None for start in _starts_of_private_keys(text)}
    found |= dict.fromkeys(find_assigned(text))
    for offset, piece in pieces(text):
        for start, end in (*_tokens(piece), *_random_looking(piece)):
            found[_whole_token(text, offset + start, offset + end)] = None
        for start, end in (*_basic_auth(piece), *_assigned_without_quotes(piece)):
            found[Found(offset + start, offset + end, SECRET)] = None
        for start, end in _told(piece):
            found[Found(offset + start, offset + end, SECRET)] = None
    return list(found)


def find_assigned(text: str) -> list[Found]:
    """Return what is assigned to, or compared with, a name like ``password``, in quotes; also across whole SQL."""
    return [
        Found(offset + start, offset + end, SECRET)
        for offset, piece in pieces(text)
        for start, end in _assigned_in_quotes(piece)
    ]


def is_secret_name(name: str) -> bool:
    """Tell whether a column with this name holds secrets, not for instance when they were changed."""
    word = _detectors()["name"].search(name)
    return word is not None and not _NAMES_OF_ROWS.match(name, word.start())


def _told(text: str) -> Iterator[tuple[int, int]]:
    for match in _SAID.finditer(text):
        value = match["value"].rstrip(".,;:!?)")
        if _MADE_UP.fullmatch(value) and can_be_secret(value):
            yield match.start("value"), match.start("value") + len(value)


def _assigned_in_quotes(text: str) -> Iterator[tuple[int, int]]:
    searched = _with_short_words(text)
    for pattern, group in _detectors()["quoted"]:
        for match in pattern.finditer(searched):
            start, end = match.span(group)
            if _names_a_secret(text, match) and can_be_secret(text[start:end]):
                yield start, end


def _assigned_without_quotes(text: str) -> Iterator[tuple[int, int]]:
    """Find ``password: hunter2``; a word without digit or sign is more likely to go on with the sentence."""
    searched = _with_short_words(text)
    for pattern, group in _detectors()["unquoted"]:
        match = pattern.search(searched)
        while match:
            word = _FIRST_WORD.match(text, *match.span(group))
            end = word.end() if word else match.end()
            value = text[match.start(group) : end].rstrip(".,;:!?)")
            if _names_a_secret(text, match) and not value.isalpha() and can_be_secret(value):
                yield match.start(group), match.start(group) + len(value)
            match = pattern.search(searched, end)


def _with_short_words(text: str) -> str:
    """Blank out the rest of overlong words, place for place: no name is so long, and some patterns reread them."""
    return _LONG_WORD.sub(lambda word: word[0][:_LONGEST_NAME].ljust(len(word[0]), "\0"), text)


def _names_a_secret(text: str, match: re.Match[str]) -> bool:
    word = _WORD.match(text, match.start(1))
    return not _NAMES_OF_ROWS.match(word[0] if word else "")


def can_be_secret(value: str) -> bool:
    """Tell whether a value may be a secret, and is no parameter or placeholder; wildcards around it do not count."""
    from detect_secrets.filters import heuristic

    plain = value.strip()
    plain = plain if plain.startswith("%(") else plain.strip("%")
    return not (
        len(plain) < _MIN_PASSWORD_CHARS
        or plain.startswith(("<", "%", "?", ":"))
        or heuristic.is_templated_secret(plain)
        or heuristic.is_not_alphanumeric_string(plain)
    )


def _tokens(text: str) -> Iterator[tuple[int, int]]:
    for detector in _detectors()["tokens"]:
        for pattern in detector.denylist:
            yield from (match.span() for match in pattern.finditer(text))


def _basic_auth(text: str) -> Iterator[tuple[int, int]]:
    for pattern in _detectors()["basic_auth"].denylist:
        yield from (match.span(1) for match in pattern.finditer(text) if can_be_secret(match[1]))


def _random_looking(text: str) -> Iterator[tuple[int, int]]:
    """Find long tokens of mixed case that no person made up: keys of services the detectors have no pattern for."""
    entropy = _detectors()["entropy"].calculate_shannon_entropy
    for match in _TOKEN.finditer(text):
        mixed = match[0].lower() != match[0] and match[0].upper() != match[0]
        if mixed and entropy(match[0]) >= _MIN_ENTROPY:
            yield match.span()


def _starts_of_private_keys(text: str) -> Iterator[int]:
    for pattern in _detectors()["private_key"].denylist:
        yield from (match.start() for match in pattern.finditer(text))


def _private_key(text: str, start: int) -> Found:
    """Return the whole key, of which the detector sees the first line; to the end of the text where it has no end."""
    begin = len(text[:start].rstrip("-"))
    end = _END_OF_KEY.search(text, start)
    return Found(begin, end.end() if end else len(text), SECRET)


def _whole_token(text: str, start: int, end: int) -> Found:
    after = _TOKEN_SIGNS.match(text, end)
    return Found(start, end + len(after[0].rstrip(".")) if after else end, SECRET)


@lru_cache(maxsize=1)
def _detectors() -> dict[str, Any]:
    from detect_secrets.plugins import basic_auth, high_entropy_strings, keyword, private_key

    return {
        "tokens": tuple(_detector(name) for name in _TOKEN_DETECTORS),
        "basic_auth": basic_auth.BasicAuthDetector(),
        "private_key": private_key.PrivateKeyDetector(),
        "entropy": high_entropy_strings.Base64HighEntropyString(),
        "name": re.compile(
            rf"(?:{'|'.join(keyword.DENYLIST)}|passwort|passphrase|kennwort){_NAME_ENDING}$", re.IGNORECASE
        ),
        "quoted": (
            (keyword.FOLLOWED_BY_EQUAL_SIGNS_QUOTES_REQUIRED_REGEX, 5),
            (keyword.FOLLOWED_BY_COLON_QUOTES_REQUIRED_REGEX, 5),
            (keyword.FOLLOWED_BY_ARROW_FUNCTION_SIGN_QUOTES_REQUIRED_REGEX, 4),
        ),
        "unquoted": ((keyword.FOLLOWED_BY_EQUAL_SIGNS_REGEX, 5), (keyword.FOLLOWED_BY_COLON_REGEX, 4)),
    }


def _detector(name: str) -> Any:
    module, detector = name.split(".")
    return getattr(import_module(f"detect_secrets.plugins.{module}"), detector)()
