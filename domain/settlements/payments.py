"""Reads a file of payments: one payment in a row, each row on its own, so that a bad one loses none of the others."""
