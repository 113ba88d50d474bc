"""The conversation's flow."""
