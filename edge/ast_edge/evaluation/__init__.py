"""How well a deployed pipeline detects events: metrics, and reports of them."""
