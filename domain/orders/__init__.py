"""The life of a service order: commands, events, state, deadlines, mails and shipping requests."""
