"""The design of a study: arms, spaces, budgets, and the trials they make."""
