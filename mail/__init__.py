"""Mails: what they say, and how they get to the mail server."""
