"""Addresses in the Temporal UI: a workflow, and lists of workflows."""

from urllib.parse import quote

from fastapi import Request

LATE = 'ExecutionStatus = "Running" AND Overdue = true'
"""The query for late orders and settlements, as in docs/operations.md."""


def workflow_address(request: Request, workflow_id: str, run_id: str | None) -> str:
    """The current details of a run; the workflow, if the run is unknown."""
    address = f"{_workflows(request)}/{quote(workflow_id, safe='')}"
    return f"{address}/{run_id}/user-metadata" if run_id else address


def list_address(request: Request, query: str) -> str:
    """The list of the workflows that a query finds."""
    return f"{_workflows(request)}?query={quote(query, safe='')}"


def _workflows(request: Request) -> str:
    state = request.app.state
    base, namespace = state.settings.temporal_ui_url.rstrip("/"), state.temporal.namespace
    return f"{base}/namespaces/{quote(namespace, safe='')}/workflows"
