"""The use cases of accounts, for the pages."""

from fastapi import Request

from use_cases.accounts import Accounts


def accounts_of(request: Request) -> Accounts:
    """The use cases of partners, logins and tokens."""
    accounts: Accounts = request.app.state.accounts
    return accounts
