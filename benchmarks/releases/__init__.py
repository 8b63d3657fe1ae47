"""What a release costs: beside pyarrow writing the same tables and ``datasets`` building them, and after small changes."""
