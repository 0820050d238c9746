"""A producer that gives files: CSV, JSON Lines or Parquet, in a folder of this machine or in a bucket of S3."""
