"""What the product does, one module per job: observe, plan, guard, act, tell. Knows no framework and no wire."""
