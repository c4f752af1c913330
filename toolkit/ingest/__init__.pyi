from .options import IngestOptions
from .run import ingest, plan_ingest, run_job

__all__ = ["IngestOptions", "ingest", "plan_ingest", "run_job"]
