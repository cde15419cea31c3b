"""Importing this module loads the typefaces (half a second, once); only the server that forks children names it."""

from __future__ import annotations

from engine.pdf import faces

faces.warm()
