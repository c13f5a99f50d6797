"""The use cases: what the shop, partners and operations do, for whoever translates for them (web, commands)."""
