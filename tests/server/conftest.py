"""What all tests of the whole product share: the test's own process is patient with the database."""

from tests.support.patience import patience_with_connections

__all__ = ["patience_with_connections"]
