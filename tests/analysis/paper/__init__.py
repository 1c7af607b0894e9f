"""The paper's claims, judged."""
