"""Exercise 05's experiments: from windows to recordings, what is reached, which runs there are.

Modules: `challenge` (the score), `fusion`, `scores`, `yardsticks`, `trials` (tables), `study`.
Nothing is imported here, so that reading one of them brings no more than it needs. Chapter:
exercise 05.
"""
