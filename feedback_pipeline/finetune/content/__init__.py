"""What is in a release: its rows and splits, and the configs they are shown in. Nothing here writes."""
