"""The partners' invoices: what we check in those they send, and drafts that we make for them (DESIGN 4)."""
