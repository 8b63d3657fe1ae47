"""Markup that means something to a model, or to the program that shows its answer.

Each entry is a text that has to occur, in lower case, for the regular expression behind it to be worth a search. All
repetitions are bounded.
"""

_TAGS = (
    r"system|assistant|instructions?|system[_-]?(?:prompt|message|instructions?)|human|developer|examples?|context|"
    r"tool_calls?|tool_response|tool_result|function_calls?|function_results|invoke|prompt|admin|untrusted\w{0,20}"
)

_NAMES_A_VALUE = (
    r"[ \t]{0,3}(?:(?:the|a|an|all)[ \t]{1,3})?(?:(?:count|number|sum|average|avg|min|max|total|list)\b"
    r"|(?:names?|ids?|types?)\b|\w{1,30}[ \t]{1,3}(?:id|ids|name|names|count|type|code|number)\b)(?=[^\n]{0,80}$)"
)
"""What follows where people write the name of a table before what they want of it: "system: count of nodes"."""

FRAMES = (
    ("<", r"<\s{0,3}\|[\w ▁.-]{1,40}\|\s{0,3}>"),
    ("[", r"\[\s{0,3}/?\s{0,3}INST\s{0,3}\]"),
    ("<", r"<<\s{0,3}/?\s{0,3}SYS\s{0,3}>>"),
    ("<", r"</?\s{0,3}(?:start_of_turn|end_of_turn|bos|eos)\s{0,3}>|</s>|<s>\s{0,3}\["),
    ("<", rf"</?\s{{0,3}}(?:{_TAGS})\b[^<>\n]{{0,80}}>"),
    (
        "[",
        r"\[\s{0,3}/?\s{0,3}(?:system|assistant|developer)\s{0,3}"
        r"(?:message|prompt|note|override|instructions?|error)?\s{0,3}[\]:]",
    ),
    (
        "##",
        r"#{2,6}[ \t]{0,3}(?:system|assistant|human|instructions?|response|new instructions?|prompt|developer|rules?)"
        r"[ \t]{0,3}(?::|$)",
    ),
    (
        ":",
        r"^[\s>*_#\"'`-]{0,10}(?:system|assistant|developer)"
        rf"(?:[ \t]{{1,3}}(?:message|prompt|note|override|instructions?)[*_]{{0,3}}[ \t]{{0,3}}:"
        rf"|[*_]{{0,3}}[ \t]{{0,3}}:(?!{_NAMES_A_VALUE}))",
    ),
    (":", rf"^[ \t]{{0,4}}(?:human|ai|user)[ \t]{{0,3}}:(?!{_NAMES_A_VALUE})"),
    ("`", r"`{3,10}[ \t]{0,3}(?:system|assistant|developer|instructions?)[ \t]{0,3}$"),
    ("role", r"[\"']role[\"']\s{0,3}:\s{0,3}[\"'](?:system|assistant|developer|tool)[\"']"),
    (
        " of ",
        r"\b(?:begin|end|start)(?:ning)?\s{1,3}of\s{1,3}(?:the\s{1,3})?(?:system|conversation|prompt|instructions?)\b",
    ),
    (
        "--",
        r"-{3,10}\s{0,3}(?:begin|end|start|new|system)\b[^\n]{0,40}(?:prompt|instructions?|conversation|input|context)",
    ),
    (
        "==",
        r"={3,10}\s{0,3}(?:begin|end|start|new|system)\b[^\n]{0,40}(?:prompt|instructions?|conversation|input|context)",
    ),
)
"""What frames a prompt: signs of chat templates, roles, tags."""

REMOTE = (
    ("![", r"!\[[^\]\n]{0,200}\]\s{0,3}[(\[]\s{0,3}<?(?:(?:https?:)?//|\w{1,20}\])"),
    ("]:", r"\[[^\]\n]{0,80}\]:\s{0,3}https?://[^\s?]{0,200}\?\w{1,30}="),
    ("](", r"\[[^\]\n]{0,200}\]\(\s{0,3}(?:javascript|data):"),
    (
        "<",
        r"<\s{0,3}(?:img|iframe|script|object|embed|svg|link|meta)\b[^>\n]{0,300}"
        r"(?:src|href|data|onerror|onload|content)\s{0,3}=",
    ),
    ("<", r"<\s{0,3}script\b"),
    ("javascript", r"\bjavascript:\s{0,3}\w"),
)
"""What makes a display fetch something, which can carry data away."""
