"""The pipeline: collect, publish, deliver."""
