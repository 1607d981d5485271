"""Rendering of tables: how numbers are printed, and writers of CSV, Markdown, LaTeX and HTML."""
