"""The REST API and the pages inside Airflow's UI. Read lazy.py, app.py, gate.py, rights.py, then the routes_*.py."""
