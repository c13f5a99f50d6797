"""Files as any process of CMI writes them, below everything else: no rules, no texts, no settings."""
