"""The life of a service order: commands, events, state, deadlines, and what follows from them."""
