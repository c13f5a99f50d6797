"""For which services an execution protocol is required, and its checklists. By default it is required for none."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from domain.fields import Identifier, TextLine
from domain.values import Value

ALL_SERVICES = "*"
MOST_ITEMS = 20
"""How many items a checklist has at most."""

_SERVICE = Annotated[str, StringConstraints(pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9._-]{0,63})$")]


def _later(default: Any, description: str) -> Any:
    return Field(default=default, description=description, json_schema_extra={"since": 2})


class ProtocolPolicy(Value):
    """The execution protocol (docs/rules.md, "On site").

    Attributes:
        required: the codes of the services whose partner confirms the execution only with a protocol; `*`: all.
        for_customer: the page behind the link in a customer's mails (`customer_mails.link`) has the protocol's PDF.
        checklists: the items of a service's checklist, each a text, in place of the standard ones.
    """

    required: tuple[_SERVICE, ...] = _later((), 'a list of codes of services, or ["*"]')
    for_customer: bool = Field(
        default=False,
        strict=True,
        description="true or false",
        json_schema_extra={"since": 2},
    )
    checklists: dict[
        Identifier, Annotated[tuple[TextLine, ...], Field(min_length=1, max_length=MOST_ITEMS)]
    ] = _later({}, f"a list of 1 to {MOST_ITEMS} texts for each code of a service")

    def requires(self, service_code: str) -> bool:
        """Whether a partner needs a protocol to confirm the execution of this service."""
        return ALL_SERVICES in self.required or service_code in self.required
