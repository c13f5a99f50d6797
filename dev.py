"""Starts everything on one machine: Temporal with its UI, a mail server, a worker, the web application, sample data."""

from development.one_machine import main
from temporal.connection import leave

__all__ = ["main"]

if __name__ == "__main__":
    leave(main())
