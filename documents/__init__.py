"""The common parts of the PDF documents: templates, HTML to PDF, and processes with limits."""
