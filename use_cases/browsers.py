"""Names a browser briefly, by its `User-Agent`, so that people know on which of their devices a session is.

A name consists of words from this file, whatever a browser sends. A library would know thousands of browsers; these few
are enough, and any other is shown as unknown.
"""

_LONGEST = 512

# The first whose mark is in the text: many browsers also name those that they resemble.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)


def browser_name(user_agent: str) -> str | None:
    """Browser and system, such as "Firefox, Android"; None if neither is known."""
    text = user_agent[:_LONGEST]
    found = (
        next((name for mark, name in known if mark in text), None)
        for known in (_BROWSERS, _SYSTEMS)
    )
    return ", ".join(filter(None, found)) or None
