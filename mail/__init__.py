"""Mails: their texts, the outbox, and SMTP."""
