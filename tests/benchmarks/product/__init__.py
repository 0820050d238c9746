"""The product on databases of its own, for benchmarks that run all of it: installation.py, and dag_runs.py its runs."""
