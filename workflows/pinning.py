"""Which workflows stay with the build of the workers that they began on, where Worker Versioning is on."""

from dataclasses import replace

from temporalio.common import VersioningBehavior
from temporalio.worker import (
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
)

from contracts import names

PINNED = frozenset({names.SETTLEMENT, names.MONTHLY_BILLING})
"""All others move on to the current build with their next task.

Orders move on because they live for months. The reconciler and the digest run for minutes, but only one at a time: a
run that waits for a build whose workers are gone would keep all later ones from starting.
"""


class PinningRunner(UnsandboxedWorkflowRunner):
    """Runs workflows and tells the server which of them are pinned. For workers with Worker Versioning only.

    The argument `versioning_behavior` of `workflow.defn` would tell it from every worker, and the server accepts no
    workflow task with it from a worker that has Worker Versioning off.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Implements `WorkflowRunner.create_instance`."""
        if det.defn.name in PINNED:
            pinned = replace(det.defn, versioning_behavior=VersioningBehavior.PINNED)
            det = replace(det, defn=pinned)
        return super().create_instance(det)
