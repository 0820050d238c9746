"""The REST API and the pages in Airflow's UI. Read registration.py, app.py, auth_middleware.py, then routes_*.py."""
