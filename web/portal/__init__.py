"""The pages: how people log in and, later, how partners and staff work with orders (DESIGN 5)."""
