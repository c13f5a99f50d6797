"""The settings that limit how much a worker does at once; `Settings` has them beside its own."""

from pydantic import BaseModel, Field


class WorkerSlots(BaseModel):
    """How many tasks of the queue `orders` one worker process takes at once. The others wait in the server, where the
    partners take turns (`temporal/fairness.py`). Those that it has taken share one processor core."""

    workflow_slots: int = Field(
        8,
        ge=2,
        le=1000,
        description="workflow tasks that a worker does at once; each needs the processor and a call to Temporal",
    )
    activity_slots: int = Field(
        20,
        ge=1,
        le=1000,
        description="mails, records and calls that a worker does at once; more if the mail server is slow",
    )
