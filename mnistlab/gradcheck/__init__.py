"""Proof of gradients, ours and a user's own: what to check, and what to say of it."""
