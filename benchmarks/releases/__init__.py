"""What a release costs: beside pyarrow writing the same tables, beside ``datasets``, and after small changes."""
