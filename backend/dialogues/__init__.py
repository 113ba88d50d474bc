"""Counselling dialogues: reading them from anywhere, and keeping only what a counsellor would sign."""
