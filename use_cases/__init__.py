"""The use cases of the shop, partners and operations. The web and the commands call them."""
