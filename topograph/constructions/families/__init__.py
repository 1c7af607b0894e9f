"""One family of constructions per file."""
