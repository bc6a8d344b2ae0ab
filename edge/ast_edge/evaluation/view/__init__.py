"""What is shown of an evaluation: page, table, figures."""
