"""What a parse of thousands of streams costs: ours, dag-factory from YAML, and static files, in one run.

Reading order: __main__.py what is run, dag_files.py what is parsed, parse_child.py and full_pass.py how it is measured.
"""
