"""The partners' invoices: the check of those that they send, and the drafts that are made for them."""
