"""The report's tables as CSV, Markdown and LaTeX, and its plots as SVG and PNG."""
