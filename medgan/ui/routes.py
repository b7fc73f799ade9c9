"""Files that are too large for a widget, which would hold all of them in memory: they are sent as they are
read."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from medgan.workspace import Workspace

NAME = re.compile(r"[\w.-]{1,200}")
"""What `safe_name` makes; nothing that leads out of the folder."""


async def export(request: Request) -> Response:
    """The ZIP of an export by its name, which nobody guesses: it ends in random letters."""
    name = request.path_params["name"]
    path = Workspace.default().exports / name / f"{name}.zip"
    if not NAME.fullmatch(name) or name.startswith(".") or not path.is_file():
        return PlainTextResponse("There is no such export (any more).\n", status_code=404)
    return FileResponse(path, media_type="application/zip", filename=f"{name}.zip")


ROUTES = [Route("/exports/{name}.zip", export)]
