"""The standard policy, and the named policies that partners may have instead."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from domain.policy import Policy


class UnknownPolicy(Exception):
    """A partner has a named policy that does not exist (any more), for example because its file was removed.

    Nothing is placed or settled under another policy instead.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"policy {name}: there is no such policy among the files of CMI_POLICIES")


class Policies(NamedTuple):
    """The policies of an installation: `standard` for all partners but those that have one of the `named` ones."""

    standard: Policy
    named: Mapping[str, Policy] = MappingProxyType({})

    def of(self, name: str | None) -> Policy:
        """The policy with this name; None is the standard one.

        Raises:
            UnknownPolicy: there is none with this name.
        """
        if name is None:
            return self.standard
        if name not in self.named:
            raise UnknownPolicy(name)
        return self.named[name]
