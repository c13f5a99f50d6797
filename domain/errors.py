"""What a rule answers instead of events: a refusal, a value that cannot be, or that it does not understand."""


class InvalidCommand(Exception):
    """A command whose values cannot be.

    Attributes:
        field: the name of the field in the body of the API's call (docs/contract.md).
        code: what is wrong with it; `words/sentences.py` has the sentences.
    """

    def __init__(self, field: str, code: str) -> None:
        self.field = field
        self.code = code
        super().__init__(f"{field}: {code}")


class NotUnderstood(Exception):
    """Something that a newer process wrote, and that decisions must not be made upon here.

    In a workflow it fails the task, which is tried again until a newer worker takes it.
    """
