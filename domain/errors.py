"""Errors of the rules: a command with an invalid value, or something that only a newer process understands."""


class InvalidCommand(Exception):
    """A command with an invalid value.

    Attributes:
        field: the name of the field in the body of the API's call (docs/contract.md).
        code: what is wrong with it; `words/sentences.py` has the sentences.
    """

    def __init__(self, field: str, code: str) -> None:
        self.field = field
        self.code = code
        super().__init__(f"{field}: {code}")


class NotUnderstood(Exception):
    """A newer process wrote something that this process does not know and must not base a decision on.

    In a workflow it fails the workflow task, which is retried until a newer worker takes it.
    """
