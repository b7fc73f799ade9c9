"""The licence that images go out under."""

from __future__ import annotations

import re

from medgan.errors import DataError

KNOWN = {
    "cc0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "cc-by-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "cc-by-sa-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "cc-by-nc-4.0": "https://creativecommons.org/licenses/by-nc/4.0/",
    "cc-by-nc-sa-4.0": "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    "mit": "https://opensource.org/license/mit",
    "apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
}
"""Where the text of a licence stands, by the name that the Hub has for it."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,50}")
"""A name of a licence, as SPDX and the Hub write it."""
NOBODY_CHOSE = "Nobody has chosen a licence for these images: ask whoever made them before you pass them on."


def check_licence(name: str) -> None:
    """DataError where it can be no name of a licence."""
    if not _NAME.fullmatch(name):
        raise DataError(f"{name[:60]!r} is no name of a licence; write for example cc-by-4.0, mit or other.")


def licence_text(licence: str, model: str) -> str:
    """The text of the LICENSE file."""
    if not licence:
        return f"{NOBODY_CHOSE}\n"
    where = KNOWN.get(licence.lower())
    return (
        f"Synthetic images of {model}: {licence}{f' ({where})' if where else ''}.\n\n"
        "The terms of the images that the model was trained on may reach further than this licence does.\n"
    )
