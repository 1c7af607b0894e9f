"""Studies: a grid of trainings, run in parallel, kept in a store that nothing can lose."""

from trainers.study.runner import StudySummary, measure_study, retry_study, run_study
from trainers.study.spec import StudySpec
from trainers.study.store import Store

__all__ = ["Store", "StudySpec", "StudySummary", "measure_study", "retry_study", "run_study"]
