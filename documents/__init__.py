"""What all our PDF documents share: text as it fits, tables by tab stops, PDF/A from HTML, processes with limits."""
