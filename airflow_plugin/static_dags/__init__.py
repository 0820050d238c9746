"""Static DAG files, read by their syntax trees. Nothing of a file is run."""
