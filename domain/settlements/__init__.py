"""The life of a settlement: commands, events, state, mails."""
