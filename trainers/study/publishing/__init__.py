"""Results of studies as Parquet files that travel with the code: written, read, and verified by training again."""

from trainers.study.publishing.card import Card, Part
from trainers.study.publishing.publish import PublishedSummary, publish_study
from trainers.study.publishing.published import PublishedStudy, is_published, open_published
from trainers.study.publishing.verify import Verification, verify_published

__all__ = [
    "Card",
    "Part",
    "PublishedStudy",
    "PublishedSummary",
    "Verification",
    "is_published",
    "open_published",
    "publish_study",
    "verify_published",
]
