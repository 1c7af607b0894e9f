"""The paper's claims, judged on the published results of `studies/paper`."""

from analysis.paper.claims import CLAIMS, QUESTIONS, Claim, judge_claims
from analysis.paper.judgement import Judgement
from analysis.paper.results import PaperResults, load_paper

__all__ = ["CLAIMS", "QUESTIONS", "Claim", "Judgement", "PaperResults", "judge_claims", "load_paper"]
