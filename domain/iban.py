"""How an IBAN or a payment reference is shown: in groups of four, or masked."""


def in_fours(text: str) -> str:
    """An IBAN or a reference as it is printed: "CH93 0076 2011 6238 5295 7"."""
    compact = "".join(text.split())
    return " ".join(compact[first : first + 4] for first in range(0, len(compact), 4))


def masked(iban: str) -> str:
    """An IBAN masked so that only who knows it can recognise it: "CH93 … 2957".

    A text that is too short to be an IBAN is masked as a whole.
    """
    compact = "".join(iban.split())
    return f"{compact[:4]} … {compact[-4:]}" if len(compact) > 12 else "…"
