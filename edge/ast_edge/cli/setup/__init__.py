"""From nothing to a running service: what is asked, tried and written."""
