"""`python -m tests.benchmarks.rest_dlt PORT FOLDER`: dlt's own extraction of the same API, into files in a folder."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Extract all records, and print how many."""
    port, folder = sys.argv[1:]
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": folder, "HOME": folder}
    import dlt
    from dlt.sources.rest_api import rest_api_source

    source = rest_api_source(
        {
            "client": {"base_url": f"http://127.0.0.1:{port}/v1", "auth": {"type": "bearer", "token": "bench"}},
            "resources": [
                {
                    "name": "customers",
                    "endpoint": {
                        "path": "customers",
                        "data_selector": "results",
                        "paginator": {"type": "json_link", "next_url_path": "next_url"},
                    },
                }
            ],
        }
    )
    pipeline = dlt.pipeline("bench", destination="dummy", pipelines_dir=folder)
    metrics = pipeline.extract(source).metrics
    tables = [one["table_metrics"] for of in metrics.values() for one in of]  # and one of the pipeline's own state
    print(sum(one["customers"].items_count for one in tables if "customers" in one))


if __name__ == "__main__":
    main()
