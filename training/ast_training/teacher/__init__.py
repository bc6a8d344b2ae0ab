"""Networks that know sounds already, and tell a model in training what they hear."""
