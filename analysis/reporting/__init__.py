"""The report: findings, the sections that show them, and the page they are written on."""
