"""A folder with a model -> Model: `ecosystem.yaml` or `eco.py`, beside `dsg_platform_mapping.json`.

Not for the parse path. Read `folder.py` first; `documents.py` reads files, `python_model.py` runs eco.py apart,
`git.py` gets a commit of a folder.
"""

from config_schema.load.folder import load_model
from config_schema.model.mapping import Model

__all__ = ["Model", "load_model"]
