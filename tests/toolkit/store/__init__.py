"""Tests of `toolkit.store`: on a store in memory, and on an S3 server where one is installed."""
