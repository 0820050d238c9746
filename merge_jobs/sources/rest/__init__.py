"""A producer that is an API over HTTP with answers in JSON.

dlt's client walks through the pages, by its paginators and logins; the session below it is ours (http.py), so that each
answer is seen as it came, and nobody but the admitted server is asked. Read source.py first, then pages.py.
"""
