"""The model, as a team writes it in git. `eco.py` imports from here what ecosystem, overrides and rest define."""

from config_schema.model.ecosystem import *  # noqa: F403  # every class that a model is made of
from config_schema.model.overrides import *  # noqa: F403
from config_schema.model.rest import *  # noqa: F403
