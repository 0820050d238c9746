"""The data change simulator: change.py draws changes, producer.py writes them, run.py loops, command.py is the CLI."""

from merge_jobs.simulator.command import simulate
from merge_jobs.simulator.producer import create_tables
from merge_jobs.simulator.run import Simulator, run_changes

__all__ = ["Simulator", "create_tables", "run_changes", "simulate"]
