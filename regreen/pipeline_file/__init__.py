"""The schema of `regreen.yaml`; `pipeline_reading.py` reads it.

Every key is optional. A repository without the file gets the defaults of these models.
"""

from regreen.pipeline_file.approval import ApprovalSection
from regreen.pipeline_file.build import BuildSection
from regreen.pipeline_file.events import OnSection
from regreen.pipeline_file.healing import HealSection, ModelSection
from regreen.pipeline_file.lint import LintCommandSection, LintSection
from regreen.pipeline_file.load import LoadSection, LoadStage, LoadThresholds, ServiceSection
from regreen.pipeline_file.package import (
    ExecutableSection,
    PackageCommandSection,
    PackageSection,
    WordPressSection,
)
from regreen.pipeline_file.pipeline import Pipeline
from regreen.pipeline_file.release import ChecklistSection, ReleaseSection, TargetSection
from regreen.pipeline_file.security import LicencesSection, SecuritySection
from regreen.pipeline_file.testing import CoverageSection, TestSection
from regreen.pipeline_file.values import Duration

__all__ = [
    "ApprovalSection",
    "BuildSection",
    "ChecklistSection",
    "CoverageSection",
    "Duration",
    "ExecutableSection",
    "HealSection",
    "LicencesSection",
    "LintCommandSection",
    "LintSection",
    "LoadSection",
    "LoadStage",
    "LoadThresholds",
    "ModelSection",
    "OnSection",
    "PackageCommandSection",
    "PackageSection",
    "Pipeline",
    "ReleaseSection",
    "SecuritySection",
    "ServiceSection",
    "TargetSection",
    "TestSection",
    "WordPressSection",
]
