"""Which workflows stay with the build that they began on, if Worker Versioning is on."""

from dataclasses import replace

from temporalio.common import VersioningBehavior
from temporalio.worker import (
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
)

from contracts import names

PINNED = frozenset({names.SETTLEMENT, names.MONTHLY_BILLING})
"""These stay with their build. All others move to the current build with their next task.

Orders move because they live for months. The reconciler and the digest run for minutes, but only one at a time: a run
that waits for a build without workers would block all later runs.
"""


class PinningRunner(UnsandboxedWorkflowRunner):
    """Runs workflows and tells the server which of them are pinned. For workers with Worker Versioning only.

    The argument `versioning_behavior` of `workflow.defn` would apply to every worker, and the server rejects workflow
    tasks with it from a worker without Worker Versioning.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Implements `WorkflowRunner.create_instance`."""
        if det.defn.name in PINNED:
            pinned = replace(det.defn, versioning_behavior=VersioningBehavior.PINNED)
            det = replace(det, defn=pinned)
        return super().create_instance(det)
