"""Writes files. Imports nothing of CMI."""
