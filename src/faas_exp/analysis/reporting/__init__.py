"""The report: one structure, rendered as a self-contained HTML page and as Markdown."""
