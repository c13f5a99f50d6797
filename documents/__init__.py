"""What the PDF documents share: templates, HTML to PDF, and processes with limits."""
