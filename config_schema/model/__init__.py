"""The model, as a team writes it in git. `eco.py` imports from here what ecosystem.py defines."""

from config_schema.model.ecosystem import *  # noqa: F403  # every class that a model is made of
