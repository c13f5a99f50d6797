"""The partners' invoices: the check of uploaded invoices, and drafts."""
