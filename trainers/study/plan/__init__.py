"""From a specification to its runs, each with an id that holds all that determines it."""

from trainers.study.plan.data_facts import DataFacts, check_architectures, describe_data
from trainers.study.plan.runs import Condition, Run, plan_id, plan_runs, study_meta, trainer_versions
from trainers.study.plan.trainers_of_models import check_trainers_of_models

__all__ = [
    "Condition",
    "DataFacts",
    "Run",
    "check_architectures",
    "check_trainers_of_models",
    "describe_data",
    "plan_id",
    "plan_runs",
    "study_meta",
    "trainer_versions",
]
