"""How a study is carried out: the agenda, the workers and their sandboxes, and the loop that drives them."""

from trainers.study.engine.agenda import Agenda
from trainers.study.engine.driver import Tally, drive
from trainers.study.engine.execution import Execution, Workforce
from trainers.study.engine.progress import Progress, duration

__all__ = ["Agenda", "Execution", "Progress", "Tally", "Workforce", "drive", "duration"]
