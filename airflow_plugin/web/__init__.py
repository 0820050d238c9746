"""The REST API and the pages in Airflow's UI. Read lazy.py, app.py, auth_middleware.py, then the routes_*.py."""
