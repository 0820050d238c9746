"""The content of a platform's factory file, which users put into Airflow's dags folder."""

from __future__ import annotations

# An import of airflow stands here literally because the dag-processor loads such, and only such, once for all parses
# (listener.py has it load the rest). The text is one for all versions of Airflow, because a file outlives upgrades.
TEXT = '''\
"""The ingestion DAGs of platform {platform}, from the rows of its stream table."""

import airflow.sdk.definitions.dag

from airflow_plugin.factory import publish

publish(globals(), platform="{platform}"{shard})
'''


def factory_file(original_platform_name: str, number: int = 1, count: int = 1) -> str:
    """Return the content of a platform's factory file, or of one of several; `names.factory_file()` names it."""
    shard = f', shard="{number}/{count}"' if count > 1 else ""
    return TEXT.format(platform=original_platform_name, shard=shard)


def bundle_file(original_platform_name: str, part: str | None) -> str:
    """Return the content of a file of the bundle: for a shard of streams, or for the DAGs of the `platform` itself.

    None is a file for workers, which name the DAG that they need; a parse finds no DAG in it.
    """
    shard = f', part="{part}"' if part else ""
    text = TEXT.format(platform=original_platform_name, shard=shard)
    return text.replace("import publish", "import publish_file").replace("\npublish(", "\npublish_file(")
